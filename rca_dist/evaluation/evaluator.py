"""Scores every system on the same tickets: exact losses, generated answers, intervals, verdict.

Tickets are dealt to ranks by cost and brought back by position, so that each is scored exactly once whatever the number of
processes. All ranks hold the full result.
"""

import hashlib
import logging
import math
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np

from rca_dist.evaluation.baselines import Nearest
from rca_dist.evaluation.generation import answer_limit, batches, generate_all
from rca_dist.evaluation.pieces import Pieces, allowed
from rca_dist.evaluation.recited import redacts, without_personal_data
from rca_dist.evaluation.results import SystemScores, split_results, strongest
from rca_dist.evaluation.scoring import answer_bytes, score_batches
from rca_dist.evaluation.text_metrics import score
from rca_dist.model.adapter import HFModelAdapter
from rca_dist.runtime import heartbeat
from rca_dist.runtime.distributed import Distributed
from rca_dist.runtime.preemption import stop_if_asked
from rca_dist.tickets.table import TicketTable
from rca_dist.tokens.batching import deal, shares
from rca_dist.tokens.encode import RCADataset

log = logging.getLogger(__name__)

LANGUAGE_MODELS = ("model", "base")
# Enough to choose the strongest baseline on validation; scoring all of a large side would cost a second evaluation.
YARDSTICK_TICKETS = 100


@dataclass
class Answers:
    """What one system did on N tickets: texts, and for what defines them NLL in nats and token counts, each (N,)."""

    texts: list[str]
    nll: np.ndarray | None = None
    tokens: np.ndarray | None = None
    correct: np.ndarray | None = None
    at_limit: int = 0


class Evaluator:
    """Evaluates systems on splits of a ticket table.

    `datasets` maps split names to the encoded tickets in the table's order; `base` gives a context in which the adapter's model
    answers as before fine-tuning (all ranks enter it); `packed` scores losses in packed rows, for models made ready for them.
    """

    def __init__(
        self,
        adapter: HFModelAdapter,
        tickets: TicketTable,
        datasets: Mapping[str, RCADataset],
        *,
        distributed: Distributed,
        base: Callable[[], AbstractContextManager[None]] | None = None,
        packed: bool = False,
        systems: Sequence[str] = ("model", "base", "oracle", "nearest"),
        primary_metric: str = "chrf",
        max_new_tokens: int | None = None,
        max_tickets: int | None = None,
        batch_tokens: int = 8192,
        precision: str = "auto",
        bootstrap_samples: int = 1000,
        seed: int = 0,
        stop_requested: Callable[[], bool] = lambda: False,
    ) -> None:
        self.adapter = adapter
        self.tickets = tickets
        self.datasets = datasets
        self.distributed = distributed
        self.base = base
        self.packed = packed
        self.systems = [name for name in systems if name != "oracle" or "oracle_nll" in tickets.frame.columns]
        self.primary_metric = primary_metric
        self.max_tickets = max_tickets
        self.batch_tokens = batch_tokens = allowed(batch_tokens)
        on_cpu = distributed.device.type == "cpu"
        self.precision = ("fp32" if on_cpu else distributed.precision) if precision == "auto" else precision
        self.bootstrap_samples = bootstrap_samples
        self.seed = seed
        # The same limit for every ticket, so that no answer depends on which others share its batch.
        longest_prompt = max((int(d.encoded.prompt_lengths.max()) for d in datasets.values() if len(d)), default=0)
        wanted = max_new_tokens or answer_limit(datasets["train"].counts)
        self.max_new_tokens = max(1, min(wanted, adapter.max_length - longest_prompt))
        self.stop_requested = stop_requested
        self.pieces = Pieces(distributed.device, batch_tokens=batch_tokens, collective=distributed.sharded)
        self._nearest: Nearest | None = None
        self._answers: dict[tuple[str, str, int], Answers] = {}
        self.recited: dict[tuple[str, str], Counter[str]] = {}

    def loss(self, split: str = "validation") -> dict[str, float]:
        """Exact loss (nats per supervised token), bits per byte and token accuracy of the model now. Collective."""
        indices = self._indices(split, self.max_tickets)
        nll, tokens, correct = self._nll(split, indices)
        size = self._answer_bytes(split, indices).sum()
        return {
            "eval/loss": float(nll.sum() / tokens.sum()),
            "eval/bits_per_byte": float(nll.sum() / math.log(2) / size),
            "eval/token_accuracy": float(correct.sum() / tokens.sum()),
        }

    def eval_split(self, split: str = "test") -> dict[str, Any]:
        """One split of results.json for all systems, paired differences and verdict included. Collective."""
        indices = self._indices(split, self.max_tickets)
        if self.distributed.is_main and len(indices) < len(self.datasets[split]):
            log.warning("eval.max_tickets: %d of %d %s tickets are scored", len(indices), len(self.datasets[split]), split)
        groups = self.tickets.rows(split)["group"].to_numpy()[indices]
        scores = [self._scores(name, split, self.max_tickets) for name in self.systems]
        result = split_results(
            scores, groups, split=split, primary_metric=self.primary_metric, yardstick=self.yardstick(),
            templated=bool(self.tickets.facts.get("split", {}).get("templated", False)),
            samples=self.bootstrap_samples, seed=self.seed,
        )  # fmt: skip
        result["tickets_in_split"] = len(self.datasets[split])
        result["answer_limit"] = self.max_new_tokens
        result["personal_data_in_answers"] = {
            name: dict(self.recited.get((name, split), {})) for name in self.systems if name in LANGUAGE_MODELS
        }
        result["at_limit"] = {
            name: self.answers(name, split, self.max_tickets).at_limit for name in self.systems if name in LANGUAGE_MODELS
        }
        return result

    def yardstick(self) -> str:
        """The baseline that is strongest on validation by the primary metric, before the test side is looked at."""
        baselines = [name for name in self.systems if name not in ("model", "oracle")]
        if len(baselines) < 2 or len(self.datasets["validation"]) == 0:
            return baselines[0] if baselines else "nearest"
        groups = self.tickets.rows("validation")["group"].to_numpy()[self._indices("validation", YARDSTICK_TICKETS)]
        scores = [self._scores(name, "validation", YARDSTICK_TICKETS) for name in baselines]
        result = split_results(scores, groups, split="validation", samples=100, seed=self.seed)
        return strongest(result, self.primary_metric) or baselines[0]

    def predictions(self, split: str) -> Iterable[dict[str, Any]]:
        """One record per ticket and system, as predictions.jsonl holds them (redacted text)."""
        indices = self._indices(split, self.max_tickets)
        frame = self.tickets.rows(split).iloc[indices]
        scores = {name: self._scores(name, split, self.max_tickets) for name in self.systems}
        texts = {name: self.answers(name, split, self.max_tickets).texts for name in self.systems}
        for n, (ticket, prompt, reference) in enumerate(zip(frame["id"], frame["prompt"], frame["answer"], strict=True)):
            for name in self.systems:
                values = {metric: float(array[n]) for metric, array in scores[name].values.items()}
                nll, tokens = scores[name].nll, scores[name].tokens
                if nll is not None:
                    values["nll"] = float(nll[n])
                if nll is not None and tokens is not None:
                    values |= {"tokens": int(tokens[n]), "loss": float(nll[n] / tokens[n])}
                yield {
                    "split": split, "id": ticket, "system": name, "prompt": prompt, "reference": reference,
                    "prediction": texts[name][n], "scores": values,
                }  # fmt: skip

    def answers(self, system: str, split: str, limit: int | None) -> Answers:
        """What a system did on a split, computed once. Collective on first use."""
        indices = self._indices(split, limit)
        key = (system, split, len(indices))
        if key not in self._answers:
            heartbeat.at(f"evaluation of {system}")
            self._stop_if_asked()
            began = time.perf_counter()
            self._answers[key] = self._compute(system, split, indices)
            if self.distributed.is_main:
                log.info("%s on %d %s tickets: %.1f s", system, len(indices), split, time.perf_counter() - began)
        return self._answers[key]

    def _stop_if_asked(self) -> None:
        """Between two batches. Collective. Raises: Stopped on every rank."""
        stop_if_asked(self.distributed, self.stop_requested, "during the evaluation")

    def _compute(self, system: str, split: str, indices: np.ndarray) -> Answers:
        frame = self.tickets.rows(split).iloc[indices]
        if system == "oracle":
            return Answers(frame["oracle_answer"].astype(str).tolist(), nll=frame["oracle_nll"].to_numpy(dtype=np.float64))
        if system == "nearest":
            if self._nearest is None:
                train = self.tickets.rows("train")
                self._nearest = Nearest(train["prompt"].tolist(), train["answer"].tolist())
            return Answers(self._nearest.answer(frame["prompt"].tolist())[0])
        if system == "base" and self.base is None:
            raise ValueError("the system 'base' needs `base`, a context in which the model is as before fine-tuning")
        with self.base() if system == "base" and self.base else nullcontext():
            texts, at_limit = self._generate(split, indices)
            texts, self.recited[system, split] = without_personal_data(
                texts, replaced=redacts(self.tickets), name=f"{system} on {split}", speaks=self.distributed.is_main
            )
            nll, tokens, correct = self._nll(split, indices)
        return Answers(texts, nll, tokens, correct, at_limit)

    def _scores(self, system: str, split: str, limit: int | None) -> SystemScores:
        indices = self._indices(split, limit)
        answers = self.answers(system, split, limit)
        values = score(answers.texts, self.tickets.rows(split)["answer"].iloc[indices].tolist())
        bleu = values.pop("bleu", None)
        # The oracle's NLL is that of the whole answer, a language model's that of the part it was given.
        sizes = self._answer_bytes(split, indices, whole=system == "oracle") if answers.nll is not None else None
        return SystemScores(system, values, answers.nll, answers.tokens, answers.correct, sizes, bleu)

    def _indices(self, split: str, limit: int | None) -> np.ndarray:
        """Positions of the tickets to score: all, or `limit` of them chosen by a hash of their ids."""
        total = len(self.datasets[split])
        if limit is None or limit >= total:
            return np.arange(total)
        ids = self.datasets[split].ticket_ids
        ranked = sorted(range(total), key=lambda n: hashlib.sha256(f"{self.seed}:{ids[n]}".encode()).digest())
        return np.sort(np.asarray(ranked[:limit]))

    def _answer_bytes(self, split: str, indices: np.ndarray, *, whole: bool = False) -> np.ndarray:
        """UTF-8 bytes of each answer as far as it is scored: of the kept part where `max_length` cut it."""
        texts = self.tickets.rows(split)["answer"].iloc[indices]
        return answer_bytes(self.adapter, self.datasets[split], indices, texts, whole=whole)

    def _nll(self, split: str, indices: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """NLL (N,) float64, supervised tokens and right ones (N,) int64, of the tickets at `indices`. Collective."""
        dist, dataset = self.distributed, self.datasets[split]
        parts = shares(
            indices, dataset.lengths, world_size=dist.world_size, max_tokens=self.batch_tokens, packed=self.packed
        )  # fmt: skip
        with dist.autocast(self.precision):
            found = score_batches(
                self.adapter.model, dataset, parts[dist.rank], dist, packed=self.packed, pieces=self.pieces,
                between=self._stop_if_asked,
            )  # fmt: skip
        everyone = {n: row for part in dist.gather(found) for n, row in part.items()}
        columns = list(zip(*(everyone[int(n)] for n in indices), strict=True)) or [(), (), ()]
        return (
            np.asarray(columns[0], dtype=np.float64),
            np.asarray(columns[1], dtype=np.int64),
            np.asarray(columns[2], dtype=np.int64),
        )

    def _generate(self, split: str, indices: np.ndarray) -> tuple[list[str], int]:
        """Greedy answers of the tickets at `indices`, and how many hit the limit. Collective."""
        dist, dataset, adapter = self.distributed, self.datasets[split], self.adapter
        adapter.model.eval()
        parts = [part.tolist() for part in deal(indices, dataset.lengths, dist.world_size)]
        mine = parts[dist.rank]
        lengths = [[int(dataset.encoded.prompt_lengths[n]) for n in part] for part in parts]
        limits = {"max_new_tokens": self.max_new_tokens, "batch_tokens": self.batch_tokens}
        with dist.autocast(self.precision):
            rows = generate_all(
                adapter, adapter.model, [dataset.prompt_ids(n) for n in mine], **limits,
                rounds=max(len(batches(part, **limits)) for part in lengths), in_step=dist.sharded,
                pieces=self.pieces, between=self._stop_if_asked,
            )  # fmt: skip
        found = {n: (adapter.decode(row), len(row) >= self.max_new_tokens) for n, row in zip(mine, rows, strict=True)}
        everyone = {n: answer for part in dist.gather(found) for n, answer in part.items()}
        answers = [everyone[int(n)] for n in indices]
        return [text for text, _ in answers], sum(hit for _, hit in answers)
