"""What every rank does for test_backends.py: train, stop, go on, score, answer, save, under whatever back end it finds."""

from pathlib import Path

import numpy as np

WORDS = ["printer", "down", "restart", "the", "cable", "was", "loose", "résolu", "network"]


def tickets():
    import pandas as pd

    from rca_dist.tickets.table import TicketTable

    rng = np.random.default_rng(1)
    texts = [" ".join(rng.choice(WORDS, size=rng.integers(2, 30))) for _ in range(28)]
    frame = pd.DataFrame({"id": [f"T{n}" for n in range(14)], "prompt": texts[:14], "answer": texts[14:], "group": range(14)})
    frame["split"] = ["train"] * 11 + ["test"] * 3
    return TicketTable(frame, {}, "x"), texts


def job(argument):
    """Returns JSON; the same on every rank but for `rank`."""
    from rca_dist.evaluation.evaluator import Evaluator
    from rca_dist.model.adapter import HFModelAdapter
    from rca_dist.model.head import prepare_head
    from rca_dist.model.lora import LoraSettings
    from rca_dist.model.packing import enable
    from rca_dist.runtime.checkpoint import Checkpoints
    from rca_dist.runtime.distributed import Distributed
    from rca_dist.tokens.encode import RCADataset
    from rca_dist.training.trainer import Trainer

    dist = Distributed(precision="fp32", timeout_seconds=60)
    table, texts = tickets()
    lora = LoraSettings(r=4, alpha=8.0) if argument["lora"] else None

    def fresh():
        # Only rank 0 starts from the weights that count.
        adapter = HFModelAdapter.load("builtin:tiny", texts=texts, once=dist.on_main, lora=lora, seed=dist.rank)
        prepare_head(adapter.model)
        enable(adapter.model)
        return adapter

    def encode(split, adapter):
        rows = table.rows(split)
        return RCADataset.from_tickets(
            rows["id"].tolist(), rows["prompt"].tolist(), rows["answer"].tolist(), adapter.tokenizer, eos_id=adapter.eos_id,
            pad_id=adapter.pad_id, template="{ticket}:", max_length=128,
        )  # fmt: skip

    def trainer(adapter, rows, **changes):
        options = {
            "distributed": dist, "global_batch_size": 4, "max_tokens_per_micro_batch": 60, "max_steps": 6, "log_steps": 1,
            "log_row": rows.append, "progress": False, "learning_rate": 1e-3, "batching": "packed", "save_steps": 100,
        }  # fmt: skip
        return Trainer(adapter.model, adapter.step, encode("train", adapter), **(options | changes))

    out = {"rank": dist.rank, "backend": dist.backend, "kind": dist.accelerator.distributed_type.value}
    adapter, rows = fresh(), []
    data = {"train": encode("train", adapter), "validation": encode("test", adapter), "test": encode("test", adapter)}
    run = trainer(adapter, rows)

    def make_evaluator(adapter, engine):
        again = HFModelAdapter.load("builtin:tiny", texts=texts)
        base = adapter.base_weights if lora else lambda: engine.other_weights(lambda: dict(again.model.state_dict()))
        return Evaluator(adapter, table, data, distributed=dist, base=base, systems=["model", "base"], max_new_tokens=5,
                         batch_tokens=40, packed=run.packed)  # fmt: skip

    evaluator = make_evaluator(adapter, run.engine)
    # Before any forward pass of the whole model has gathered its weights.
    out["answers_first"] = make_evaluator(adapter, run.engine).answers("base", "test", None).texts
    out["first"] = evaluator.loss("test")["eval/loss"]
    run.fit()
    out["packed"] = run.packed
    out["losses"] = [row["train/loss"] for row in rows]
    out["norms"] = [row["train/grad_norm"] for row in rows]
    out["last"] = evaluator.loss("test")["eval/loss"]
    answers = {system: evaluator.answers(system, "test", None) for system in ("base", "model")}
    out["base"] = float(answers["base"].nll.sum() / answers["base"].tokens.sum())
    out["texts"] = {system: answer.texts for system, answer in answers.items()}
    out["after_base"] = evaluator.loss("test")["eval/loss"]
    out["weights"] = weights(run.engine)
    # One ticket for two ranks: one of them has only a filler to score and to answer.
    evaluator.max_tickets = 1
    out["one_ticket"] = evaluator.loss("test")["eval/loss"]
    out["one_answer"] = evaluator.answers("model", "test", 1).texts
    evaluator.max_tickets = None
    plain = adapter.model.get_base_model() if lora else adapter.model
    out["keeps_logits"] = bool(plain._supports_logits_to_keep())
    # Whole weights reach the disk whatever the sharding.
    folder = Path(argument["folder"])
    state = run.engine.full_state(trainable_only=adapter.is_lora)
    dist.on_main(lambda: adapter.save(folder / "model", state))
    out |= stopped_and_gone_on(dist, Checkpoints(folder / "checkpoints", dist), fresh, trainer, run)
    out["poisoned"] = poisoned(dist, fresh, trainer)
    dist.close()
    return out


def weights(engine):
    """A short description of all whole weights: (sum, sum of squares) per trainable tensor."""
    out = []
    engine.settle()
    for parameter in engine.model.parameters():
        if parameter.requires_grad:
            with engine.gathered(parameter) as whole:
                out.append([float(whole.double().sum()), float(whole.double().square().sum())])
    return out


def stopped_and_gone_on(dist, store, fresh, trainer, whole):
    """Stop after step 3 on one rank's wish, load into a fresh model, finish: how far are weights and losses off?"""
    import contextlib

    from rca_dist.errors import Stopped

    calls = []

    def stop():
        calls.append(1)
        return dist.is_main and len(calls) == 3

    rows = []
    with contextlib.suppress(Stopped):
        trainer(fresh(), rows, checkpoints=store, stop_requested=stop).fit()
    again = trainer(fresh(), rows, checkpoints=store)
    path, manifest = store.newest_valid()
    store.load(path, again.engine)
    again.step = manifest["step"]
    again.fit()
    return {
        "stopped_at": manifest["step"], "resumed_losses": [row["train/loss"] for row in rows],
        "resumed_weights": weights(again.engine), "files": sorted(manifest["files"]),
    }  # fmt: skip


def poisoned(dist, fresh, trainer):
    """A loss that is not finite for one ticket, on the rank that has it: what do all ranks say?"""
    adapter = fresh()
    run = trainer(adapter, [])
    bad = run.data.ticket_ids.index("T7")
    collate, step = run.data.collate, adapter.step
    run.data.collate = lambda indices, packed=False: collate(indices, packed=packed) | {"bad": bad in indices}

    def spoil(model, batch):
        spoilt = batch.pop("bad", False)
        loss, count = step(model, batch)
        return (loss * float("nan") if spoilt else loss), count

    run.step_function = spoil
    try:
        run.fit()
    except FloatingPointError as error:
        return str(error)
    return "nothing was raised"
