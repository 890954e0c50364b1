"""How long runs part by rounding: equal examples in every step, put into micro-batches and dealt to ranks in other ways."""

from pathlib import Path
from typing import Any

import numpy as np
from gloo import run_ranks
from parity_models import EOS, VOCABULARY

HERE = Path(__file__)
STEPS = 200
CHECKED = (1, 10, 50, 100, 150, 200)
# Label -> (processes, packed, max_tokens_per_micro_batch, seed of the order); the first is what the others are held against.
ARRANGEMENTS = {
    "1 process, packed, 4096 tokens": (1, True, 4096, 0),
    "1 process, packed, 64 tokens": (1, True, 64, 0),
    "1 process, padded, 64 tokens": (1, False, 64, 0),
    "2 processes (DDP), padded, 4096 tokens": (2, False, 4096, 0),
}
SEEDS = (1, 2, 3, 4)


def tickets(seed: int, number: int):
    """Made-up examples in which the answer repeats part of the prompt, so that there is something to learn."""
    from rca_dist.tokens.cache import Encoded
    from rca_dist.tokens.encode import RCADataset

    rng, rows, prompts = np.random.default_rng(seed), [], []
    for _ in range(number):
        prompt = rng.integers(3, VOCABULARY, size=rng.integers(4, 30))
        rows.append([*prompt, *prompt[: rng.integers(2, 8)], EOS])
        prompts.append(len(prompt))
    lengths = [len(row) for row in rows]
    encoded = Encoded(
        ids=np.concatenate(rows).astype(np.int32), offsets=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        prompt_lengths=np.asarray(prompts, dtype=np.int32), cut=np.zeros((number, 2), dtype=bool), answer_room=8,
    )  # fmt: skip
    return RCADataset(encoded, [str(n) for n in range(number)], eos_id=EOS, pad_id=0)


def train(job: dict[str, Any]) -> list[list[dict[str, float]]]:
    """On every rank: for each of `job["runs"]` (packed, budget, seed) the losses at the steps CHECKED."""
    from parity_cells import evaluator, load_adapter

    from rca_dist.runtime.distributed import Distributed
    from rca_dist.training.trainer import Trainer

    dist, out = Distributed(precision="fp32", timeout_seconds=60), []
    for packed, budget, seed in job["runs"]:
        adapter, kept = load_adapter(Path(job["folder"]), "llama", False, packed), []
        trainer = Trainer(
            adapter.model, adapter.step, tickets(0, 64), distributed=dist, global_batch_size=8, batching="packed" if packed else "padded",
            max_tokens_per_micro_batch=budget, learning_rate=3e-3, lr_scheduler="constant", warmup_steps=10, max_steps=STEPS,
            seed=seed, log_steps=1, progress=False,
        )  # fmt: skip
        scores = evaluator(adapter, tickets(1, 32), dist, packed=packed)

        def look(trainer, scores=scores, kept=kept) -> None:
            if trainer.step in CHECKED:
                kept.append({"train": trainer.row["train/loss"], "eval": scores.loss("train")["eval/loss"]})

        trainer.add_callback("on_step_end", look)
        trainer.fit()
        out.append(kept)
    dist.close()
    return out


def long_runs(folder: Path) -> tuple[dict[str, list[dict[str, float]]], list[list[dict[str, float]]]]:
    """Losses of each of ARRANGEMENTS, and of the same run with each of SEEDS, at the steps CHECKED."""
    arranged: dict[str, list[dict[str, float]]] = {}
    for world in (1, 2):
        labels = [label for label, (processes, *_) in ARRANGEMENTS.items() if processes == world]
        runs = [ARRANGEMENTS[label][1:] for label in labels]
        arranged |= dict(zip(labels, run_ranks(world, HERE, "train", job(folder, runs), timeout=300)[0], strict=True))
    seeds = run_ranks(1, HERE, "train", job(folder, [(True, 4096, seed) for seed in SEEDS]), timeout=300)[0]
    return arranged, seeds


def job(folder: Path, runs: list) -> dict[str, Any]:
    """The JSON argument of `train`."""
    return {"folder": str(folder), "runs": [list(run) for run in runs]}
