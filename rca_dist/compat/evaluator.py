"""`Evaluator` driven by an old configuration object."""

import logging
import random
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas

from rca_dist.compat.adapter import HFModelAdapter, sampling_settings
from rca_dist.compat.config import CfgNode, checked, need_int
from rca_dist.compat.dataset import FrameDataset
from rca_dist.compat.fit import check_disjoint, check_pair, is_old
from rca_dist.compat.networks import trained_on
from rca_dist.compat.place import join
from rca_dist.errors import UserError
from rca_dist.evaluation import evaluator
from rca_dist.evaluation.text_metrics import score
from rca_dist.tickets.table import TicketTable

log = logging.getLogger(__name__)

OWNER = "Evaluator"
OLD_NAMES = {"exact_match": "exact_match", "token_f1": "token_lvl_f1", "rouge_l": "rougeL_f1", "chrf": "chrf"}
# The predecessor's choice of the tickets to answer.
CHOICE = 3407
# Never more positions at once than the real evaluator's default.
MOST_TOKENS = 8192
Example = tuple[str, str, str]


class Evaluator(evaluator.Evaluator):
    """Scores a model on tickets.

    Old form: `Evaluator(config, model, train_dataset, test_dataset)`, see `ConfiguredEvaluator`. New form:
    `Evaluator(adapter, tickets, datasets, ...)`, see `rca_dist.evaluation.evaluator.Evaluator`.
    """

    def __new__(cls, *args: Any, **kwargs: Any) -> "Evaluator":
        return object.__new__(ConfiguredEvaluator if cls is Evaluator and is_old(args, kwargs) else cls)

    @staticmethod
    def get_default_config() -> CfgNode:
        """The old settings."""
        return CfgNode(
            device="auto", num_workers=4, batch_size=64, max_examples=200, max_new_tokens=300, do_sample=False,
            temperature=1.0, top_k=None, print_examples=1,
        )  # fmt: skip


class ConfiguredEvaluator(Evaluator):
    """Scores an `HFModelAdapter` on the tickets of two old-form data sets.

    Unlike the predecessor's: the NLL is summed in float64 over every ticket once and does not move with `batch_size`; words
    keep identifiers whole and scripts without spaces count by character (`rca_dist.evaluation.text_metrics`), an empty answer
    matches nothing; no prompt depends on its own reference; `num_workers` has no effect.
    """

    def __init__(
        self, config: CfgNode, model: HFModelAdapter, train_dataset: FrameDataset, test_dataset: FrameDataset | None = None
    ) -> None:
        """Moves the model to the device. Raises: UserError, saying what to write instead."""
        values = checked(config, Evaluator.get_default_config(), OWNER)
        self.config = config
        self.model = model
        self.train_dataset = train_dataset
        self.test_dataset = test_dataset
        sides = {"train": train_dataset} | ({} if test_dataset is None else {"test": test_dataset})
        for split, side in sides.items():
            check_pair(model, side, OWNER, f"{split}_dataset")
            if not isinstance(side, FrameDataset):
                raise UserError(f"{OWNER}: {split}_dataset has no table; write RCADataset(df, '{split}', tokenizer, seed=3407)")
        if test_dataset is not None:
            check_disjoint(train_dataset, test_dataset, OWNER)
        dist = join(values["device"], model.loaded_dtype, OWNER)
        self.device = dist.device.type
        if self.device == "cpu":
            model.hold_in_fp32()
        model.to(dist.device)
        datasets = {"train": train_dataset} | ({} if test_dataset is None else {"test": self._evaluated(test_dataset)})
        super().__init__(
            model, _table(sides), datasets, distributed=dist, systems=("model",),
            batch_tokens=min(MOST_TOKENS, need_int(values, "batch_size", 1, OWNER) * train_dataset.block_size),
        )  # fmt: skip
        if dist.is_main:
            print("evaluating on device", self.device)

    def _evaluated(self, test: FrameDataset) -> Any:
        found = test.for_evaluation(self.train_dataset.answer_room, min(self.model.max_length, 1 << 20))
        found.pad_id = self.model.pad_id
        return found

    def eval_split(  # type: ignore[override]
        self,
        split: str = "test",
        max_examples: int | None = None,
        max_new_tokens: int | None = None,
        do_sample: bool | None = None,
        temperature: float | None = None,
        top_k: int | None = None,
        print_examples: int | None = None,
    ) -> tuple[dict[str, Any], list[Example]]:
        """Score a side: losses on all of its tickets, answers to `max_examples` of them. Collective. None: as in the config.

        Returns (metrics, examples). Metrics: `split`, `examples_evaluated`, `byte_perplexity`, `bits_per_byte`, `exact_match`,
        `token_lvl_f1`, `rougeL_f1`; beyond the predecessor's `loss` (nats per supervised token), `token_accuracy`, `chrf`, and
        for the test side the same text scores of the nearest training ticket's answer as `nearest_...`: the yardstick. Text
        scores are in 0..1, None without an answered ticket. Examples are (description, reference, answer) in the predecessor's
        order. Raises: UserError.
        """
        given = {
            "max_examples": max_examples, "max_new_tokens": max_new_tokens, "do_sample": do_sample,
            "temperature": temperature, "top_k": top_k, "print_examples": print_examples,
        }  # fmt: skip
        values = checked(self.config, Evaluator.get_default_config(), OWNER)
        values |= {key: value for key, value in given.items() if value is not None}
        side = self._side(split)
        sampling = sampling_settings(values["do_sample"], values["temperature"], values["top_k"], OWNER)
        longest = int(side.encoded.prompt_lengths.max())
        wanted = need_int(values, "max_new_tokens", 1, OWNER)
        # The same limit for every ticket, so that no answer depends on which others share its batch.
        self.max_new_tokens = max(1, min(wanted, self.model.max_length - longest))
        numbers = self.loss(split)
        chosen = self._indices(split, need_int(values, "max_examples", 0, OWNER))
        with self.model.drawing(sampling):
            texts, _ = self._generate(split, chosen) if len(chosen) else ([], 0)
        rows = self.tickets.rows(split).iloc[chosen]
        examples = list(zip(rows["prompt"], rows["answer"], texts, strict=True))
        bits = numbers["eval/bits_per_byte"]
        metrics = {
            "split": split, "examples_evaluated": len(examples), "byte_perplexity": 2.0**bits if bits < 1000 else float("inf"),
            "bits_per_byte": bits, **_means(texts, rows["answer"].tolist()),
            "loss": numbers["eval/loss"], "token_accuracy": numbers["eval/token_accuracy"],
        }  # fmt: skip
        if split == "test":
            # Only training tickets are looked in, so this is no system for the train side.
            copied = self._compute("nearest", split, chosen).texts if len(chosen) else []
            metrics |= {f"nearest_{name}": value for name, value in _means(copied, rows["answer"].tolist()).items()}
        if self.distributed.is_main:
            _show(metrics, examples[: need_int(values, "print_examples", 0, OWNER)])
        return metrics, examples

    def _side(self, split: str) -> Any:
        """The encoded tickets of a side that can be scored. Raises: UserError."""
        if split not in ("train", "test"):
            raise UserError(f"{OWNER}: split={split!r}; write eval_split('train') or eval_split('test')")
        if split not in self.datasets:
            raise UserError(f"{OWNER}: there is no test side; write Evaluator(config, model, train_dataset, test_dataset)")
        if len(self.datasets[split]) == 0:
            raise UserError(f"{OWNER}: the {split} side has no ticket; give RCADataset a larger table or another test_frac")
        learnt = trained_on(self.model.model)
        if (
            split == "test"
            and self.test_dataset is not None
            and isinstance(learnt, FrameDataset)
            and learnt is not self.train_dataset
        ):
            check_disjoint(learnt, self.test_dataset, OWNER, "the tickets that the model was trained on and test_dataset")
        return self.datasets[split]

    def _indices(self, split: str, limit: int | None) -> np.ndarray:
        """Positions of the tickets to score: all, or the `limit` of them that the predecessor chose, in its order."""
        order = list(range(len(self.datasets[split])))
        if limit is not None:
            random.Random(CHOICE).shuffle(order)
        return np.asarray(order[:limit], dtype=np.int64)


def _table(sides: dict[str, FrameDataset]) -> TicketTable:
    """The tickets of the sides as the real evaluator wants them, every ticket a group of its own."""
    parts = []
    for split, side in sides.items():
        prompts, answers = side.texts()
        parts.append(pandas.DataFrame({"id": [f"{split} {n}" for n in side.ixes.tolist()], "prompt": prompts, "answer": answers,
                                       "split": split}))  # fmt: skip
    frame = pandas.concat(parts, ignore_index=True)
    return TicketTable(frame.assign(group=range(len(frame))), facts={}, fingerprint="")


def _means(texts: Sequence[str], references: Sequence[str]) -> dict[str, float | None]:
    """Mean text scores under their old names; None where nothing was answered."""
    values = score(texts, references)
    return {old: float(values[new].mean()) if len(texts) else None for new, old in OLD_NAMES.items()}


def _show(metrics: dict[str, Any], examples: Sequence[Example]) -> None:
    for n, (description, reference, answer) in enumerate(examples):
        print(f"[#{n}] QUESTION: {description}\n     REF    : {reference}\n     PRED   : {answer}\n" + "-" * 60)

    def percent(name: str) -> str:
        return "n/a" if metrics[name] is None else f"{100 * metrics[name]:.2f}%"

    line = (
        f"Eval {metrics['split']}: byte_perplexity={metrics['byte_perplexity']:.3f} | exact match={percent('exact_match')} | "
        f"token level f1={percent('token_lvl_f1')} | ROUGE-L={percent('rougeL_f1')} | examples={metrics['examples_evaluated']}"
    )
    if "nearest_rougeL_f1" in metrics:
        line += f" | nearest old ticket: ROUGE-L={percent('nearest_rougeL_f1')}"
    print(line)
