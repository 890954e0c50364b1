"""A small training job that is stopped, killed and gone on with: what runs in each rank, and how a test starts it.

with Nursery() as nursery:
    whole = nursery.run("ddp", 2, folder / "whole")
    nursery.crash("ddp", 2, folder / "cut", fault="rank=1,step=7,kind=kill")
    again = nursery.run("ddp", 2, folder / "cut")
    assert again[0]["weights"] == whole[0]["weights"]
"""

import hashlib
import json
import os
import sys
from pathlib import Path

HERE = Path(__file__).resolve()
ROOT = HERE.parents[2]
sys.path[:0] = [path for path in (str(ROOT), str(HERE.parent), str(HERE.parents[1])) if path not in sys.path]

from nursery import Nursery  # noqa: E402

__all__ = ["Nursery"]
WORDS = ["printer", "down", "restart", "the", "cable", "was", "loose", "résolu", "network"]
DEFAULTS = {
    "steps": 20, "save_steps": 5, "eval_steps": None, "keep_best": False, "lora": False, "batch": 4, "budget": 60,
    "tickets": 46, "longest": 30, "dropout": 0.0, "stop_file": None, "max_minutes": None, "resume": True, "evaluate_end": False,
    "timeout": 60, "store": {}, "trainer": {}, "model": "builtin:tiny", "batching": "packed",
}  # fmt: skip


def tickets(count, longest):
    """(TicketTable, all texts): six test tickets, the rest training ones."""
    import numpy as np
    import pandas as pd

    from rca_dist.tickets.table import TicketTable

    rng = np.random.default_rng(1)
    texts = [" ".join(rng.choice(WORDS, size=rng.integers(2, longest))) for _ in range(2 * count)]
    frame = pd.DataFrame({"id": [f"T{n}" for n in range(count)], "prompt": texts[:count], "answer": texts[count:]})
    frame["group"] = range(count)
    frame["split"] = ["train"] * (count - 6) + ["test"] * 6
    return TicketTable(frame, {}, "x"), texts


def train(argument):
    """One start of the job on this rank; see DEFAULTS. Goes on from the newest checkpoint in `folder`, if any.

    Returns `step` reached, `began` the step it went on from, `stopped` (the message, None when it finished), `weights` (sha256 of
    all whole weights, when finished), `budget` tokens per micro-batch at the end, `loss` of the test side with `evaluate_end`.
    """
    from rca_dist.errors import Stopped
    from rca_dist.runtime import heartbeat
    from rca_dist.runtime.distributed import Distributed
    from rca_dist.runtime.preemption import StopRequest

    options = DEFAULTS | argument
    stop = StopRequest(options["max_minutes"], Path(options["stop_file"]) if options["stop_file"] else None).install()
    dist = Distributed(precision="fp32", timeout_seconds=options["timeout"])
    heartbeat.start(dist, options["timeout"])
    out = {"rank": dist.rank, "pid": os.getpid(), "stopped": None, "weights": None}
    trainer, evaluator, store = build(options, dist, stop)
    found = store.newest_valid() if options["resume"] else None
    out["began"] = int(found[1]["step"]) if found else 0
    record(trainer, Path(options["folder"]), out["began"])
    trainer.memory.limit_from_environment()
    try:
        if found:
            store.load(found[0], trainer.engine)
            trainer.resume(found[1])
        trainer.fit()
        out["weights"] = fingerprint(trainer.engine)
        if options["evaluate_end"]:
            texts = evaluator.answers("model", "test", None)
            out |= {"texts": texts.texts, "nll": texts.nll.tolist()}
    except Stopped as stopped:
        out["stopped"] = str(stopped)
    out |= {"step": trainer.step, "budget": trainer.plan.max_tokens, "pending": bool(getattr(store, "written", False))}
    heartbeat.stop()
    dist.close()
    return out


def build(options, dist, stop):
    """(trainer, evaluator, checkpoints) with fresh weights."""
    from rca_dist.evaluation.evaluator import Evaluator
    from rca_dist.model.adapter import HFModelAdapter
    from rca_dist.model.head import prepare_head
    from rca_dist.model.lora import LoraSettings
    from rca_dist.model.packing import enable
    from rca_dist.runtime.checkpoint import Checkpoints
    from rca_dist.tokens.encode import RCADataset
    from rca_dist.training.trainer import Trainer

    table, texts = tickets(options["tickets"], options["longest"])
    lora = LoraSettings(r=4, alpha=8.0, dropout=options["dropout"]) if options["lora"] else None
    adapter = HFModelAdapter.load(options["model"], texts=texts, once=dist.on_main, lora=lora, seed=dist.rank)
    prepare_head(adapter.model)
    enable(adapter.model)

    def encode(split):
        rows = table.rows(split)
        return RCADataset.from_tickets(
            rows["id"].tolist(), rows["prompt"].tolist(), rows["answer"].tolist(), adapter.tokenizer, eos_id=adapter.eos_id,
            pad_id=adapter.pad_id, template="{ticket}:", max_length=128,
        )  # fmt: skip

    data = {"train": encode("train"), "validation": encode("test"), "test": encode("test")}
    store = Checkpoints(Path(options["folder"]) / "checkpoints", dist, **options["store"])
    trainer = Trainer(
        adapter.model, adapter.step, data["train"],
        **{
            "distributed": dist, "global_batch_size": options["batch"], "max_tokens_per_micro_batch": options["budget"],
            "max_steps": options["steps"], "log_steps": 1, "progress": False, "learning_rate": 1e-3,
            "batching": options["batching"], "save_steps": options["save_steps"], "eval_steps": options["eval_steps"],
            "keep_best": options["keep_best"], "checkpoints": store, "stop_requested": stop,
        } | options["trainer"],
    )  # fmt: skip
    evaluator = Evaluator(adapter, table, data, distributed=dist, systems=["model"], max_new_tokens=4, batch_tokens=60,
                          stop_requested=stop)  # fmt: skip
    if options["eval_steps"]:
        trainer.evaluate = lambda: evaluator.loss("test")
    return trainer, evaluator, store


def record(trainer, folder, began):
    """Let the job write metrics.jsonl (rank 0) and the ids of each step that it computed (every rank)."""
    from rca_dist.runtime.tracking import JsonlTracker

    names, rank = trainer.data.ticket_ids, trainer.distributed.rank
    if trainer.distributed.is_main:
        folder.mkdir(parents=True, exist_ok=True)
        trainer.log_row = JsonlTracker(folder / "metrics.jsonl", keep_to_step=began).log
    trainer.distributed.barrier()

    def seen(run):
        step = next(run.plan.steps(run.step - 1, run.step))
        ids = sorted(names[n] for batch in step.micro_batches for n in batch)
        with (folder / f"seen-{rank}.jsonl").open("a") as handle:
            handle.write(json.dumps([run.step, ids]) + "\n")

    trainer.add_callback("on_step_end", seen)


def fingerprint(engine):
    """sha256 over all whole weights. Collective; the same on every rank."""
    state = engine.full_state()

    def digest():
        return hashlib.sha256(b"".join(state[name].contiguous().numpy().tobytes() for name in sorted(state))).hexdigest()

    return engine.dist.on_main(digest)


def losses(folder):
    """{(step, key): value} of all losses in a folder's metrics.jsonl."""
    rows = [json.loads(line) for line in (Path(folder) / "metrics.jsonl").read_text().splitlines()]
    steps = [row["step"] for row in rows if "train/loss" in row]
    assert steps == sorted(set(steps)), steps
    return {(row["step"], key): value for row in rows for key, value in row.items() if key.endswith("/loss")}


def examples(folder):
    """{step: sorted ticket ids over all ranks}; a step that was computed again has the ids of the last time."""
    parts = [dict(json.loads(line) for line in path.read_text().splitlines()) for path in Path(folder).glob("seen-*.jsonl")]
    return {step: sorted(name for part in parts for name in part.get(step, [])) for step in sorted(set().union(*parts))}
