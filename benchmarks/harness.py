"""What the benchmarks train on: the same tickets, tokens, model and batches for every candidate."""

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from gauges import write_json

if TYPE_CHECKING:
    from rca_dist.model.adapter import HFModelAdapter
    from rca_dist.runtime.distributed import Distributed
    from rca_dist.tokens.encode import RCADataset
    from rca_dist.training.trainer import Trainer

TEMPLATE = "Ticket:\n{ticket}\n\nResolution:\n"
# What TRL trains with by default; our own defaults are set to these wherever both run, so that every loss can be compared.
HYPERPARAMETERS: dict[str, Any] = {
    "learning_rate": 2e-5, "lr_scheduler": "linear", "warmup_steps": 0, "weight_decay": 0.0, "betas": (0.9, 0.999),
    "max_grad_norm": 1.0,
}  # fmt: skip


@dataclass(frozen=True)
class Material:
    """Encoded tickets and tokenizer in a folder, written once and opened by every process."""

    folder: Path

    def dataset(self) -> "RCADataset":
        """The training examples, memory-mapped."""
        from rca_dist.tokens.cache import open_cached
        from rca_dist.tokens.encode import RCADataset

        facts = self.facts()
        encoded = open_cached(self.folder / "tokens.safetensors", facts["examples"])
        assert encoded is not None
        ids = [str(n) for n in range(facts["examples"])]
        return RCADataset(encoded, ids, eos_id=facts["eos_id"], pad_id=facts["pad_id"])

    def adapter(self, model: str, seed: int) -> "HFModelAdapter":
        """A built-in model with weights drawn from `seed`: the same ones in every process."""
        from rca_dist.model.adapter import HFModelAdapter

        rules = (self.folder / "tokenizer.json").read_text(encoding="utf-8")
        return HFModelAdapter.load(model, seed=seed, once=lambda train: rules)

    def trainer(
        self,
        model: str,
        distributed: "Distributed",
        *,
        batching: str,
        max_steps: int,
        global_batch_size: int,
        max_tokens: int,
        seed: int,
    ) -> "Trainer":
        """Our model and trainer as `rca_dist/train.py` builds them, with TRL's hyperparameters; each step's loss is logged."""
        from rca_dist.builders import build_trainer
        from rca_dist.config import Config
        from rca_dist.model.head import prepare_head

        train = {
            "batching": batching, "max_steps": max_steps, "global_batch_size": global_batch_size, "log_steps": 1,
            "max_tokens_per_micro_batch": max_tokens, "precision": distributed.precision, "epochs": 1.0, **HYPERPARAMETERS,
        }  # fmt: skip
        config = Config.model_validate({"model": {"name_or_path": model}, "train": train, "run": {"seed": seed}})
        adapter = self.adapter(model, seed)
        prepare_head(adapter.model)
        return build_trainer(config.resolved(), adapter, self.dataset(), distributed, progress=False)

    def facts(self) -> dict[str, Any]:
        """Number of examples, special ids and the distribution of lengths."""
        return dict(json.loads((self.folder / "facts.json").read_text(encoding="utf-8")))


def prepare_material(
    folder: Path, *, models: Sequence[str], tickets: int, seed: int, max_length: int, spread: float
) -> Material:
    """Generate tickets, train one tokenizer that fits every model, encode, write to `folder`.

    `spread` 0 keeps the lengths as generated, which lie close together. Above 0, ticket texts are prolonged by other tickets'
    texts to lengths that are log-normal with this sigma, as in real exports; answers stay as they are.
    """
    from rca_dist import tickets as tables
    from rca_dist.model import builtin
    from rca_dist.tickets.synthetic import generate, write_csv
    from rca_dist.tokens.cache import write_cache
    from rca_dist.tokens.encode import RCADataset

    folder.mkdir(parents=True, exist_ok=True)
    write_csv(folder / "tickets.csv", generate(tickets, seed=seed))
    rows = tables.prepare(str(folder / "tickets.csv")).rows("train")
    prompts, answers = rows["prompt"].tolist(), rows["answer"].tolist()
    sizes = [builtin.SIZES[name.removeprefix("builtin:")] for name in models]
    size = min(sizes, key=lambda one: one.vocabulary)
    rules = builtin.train_tokenizer([*prompts, *answers, TEMPLATE.replace("{ticket}", "")], size)
    tokenizer = builtin.wrap_tokenizer(rules, size)
    special = {"eos_id": tokenizer.eos_token_id, "pad_id": tokenizer.pad_token_id}
    dataset = RCADataset.from_tickets(
        rows["id"].tolist(), _prolong(prompts, spread, seed), answers, tokenizer,
        template=TEMPLATE, max_length=min(max_length, *(one.context for one in sizes)), **special,
    )  # fmt: skip
    (folder / "tokenizer.json").write_text(rules, encoding="utf-8")
    write_cache(folder / "tokens.safetensors", dataset.encoded)
    facts = {
        "examples": len(dataset), "seed": seed, "spread": spread, "truncated": dataset.truncations, **special,
        "tokens": _distribution(dataset.lengths), "supervised_tokens": _distribution(dataset.counts),
    }  # fmt: skip
    write_json(folder / "facts.json", facts)
    return Material(folder)


def _prolong(prompts: Sequence[str], spread: float, seed: int) -> list[str]:
    if spread <= 0:
        return list(prompts)
    draw = random.Random(seed)
    out = []
    for prompt in prompts:
        text, length = prompt, len(prompt) * draw.lognormvariate(0.0, spread)
        while len(text) < length:
            text += "\n" + draw.choice(prompts)
        out.append(text[: max(int(length), 20)])
    return out


def _distribution(lengths: np.ndarray) -> dict[str, float]:
    names = ("min", "p10", "median", "p90", "max")
    found = {name: float(v) for name, v in zip(names, np.percentile(lengths, [0, 10, 50, 90, 100]), strict=True)}
    return found | {"mean": round(float(lengths.mean()), 1), "total": int(lengths.sum())}
