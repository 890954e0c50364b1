"""Several gloo processes train and evaluate as one does."""

from pathlib import Path

import pytest

pytestmark = pytest.mark.process
HERE = Path(__file__)


def job(folder):
    """Train a plain network and score tickets on this rank's share; the same numbers come back from every rank."""
    import sys

    sys.path[:0] = [str(HERE.parent), str(HERE.parents[1])]
    from test_trainer import Points, network, weighted_step

    from rca_dist.errors import UserError
    from rca_dist.evaluation.evaluator import Evaluator
    from rca_dist.model.adapter import HFModelAdapter
    from rca_dist.runtime.distributed import Distributed
    from rca_dist.tickets.assemble import assemble  # noqa: F401 - imported before the group's time limit runs
    from rca_dist.tokens.encode import RCADataset
    from rca_dist.training.trainer import Trainer

    dist = Distributed(precision="fp32", timeout_seconds=60)
    rows, out = [], {"rank": dist.rank, "world": dist.world_size}
    run = Trainer(
        network(),
        weighted_step,
        Points(),
        distributed=dist,
        global_batch_size=6,
        max_tokens_per_micro_batch=9,
        learning_rate=0.05,
        epochs=2,
        log_steps=1,
        log_row=rows.append,
        progress=False,
    )
    run.fit()
    out["losses"] = [row["train/loss"] for row in rows]
    out["norms"] = [row["train/grad_norm"] for row in rows]
    out["weights"] = [float(v) for p in run.model.parameters() for v in p.detach().flatten()]
    out["resumed_equals_whole"] = stop_and_go_on(dist, Path(folder), run.model)
    out |= language_model(dist, HFModelAdapter, RCADataset, Trainer, Evaluator)
    out["any"] = [dist.any_rank(dist.rank == 1), dist.any_rank(False)]
    out["sum"] = dist.global_sum([dist.rank, 2**40 + dist.rank])
    try:
        dist.on_main(lambda: (_ for _ in ()).throw(UserError("bad file")))
    except UserError as error:
        out["error"] = str(error)
    out["patience"] = patience(dist)
    dist.close()
    return out


def patience(dist):
    """Rank 0 works for longer than a collective may last, and then fails: do the others wait, and hear of it?"""
    import datetime
    import time

    import torch

    if dist.world_size > 1:
        torch.distributed.distributed_c10d._set_pg_timeout(datetime.timedelta(seconds=1), torch.distributed.group.WORLD)

    def slow():
        until = time.monotonic() + 2.5
        while time.monotonic() < until:
            pass
        return dist.rank

    kept = dist.on_main_patiently(slow)

    def fails():
        raise ValueError("no such model")

    try:
        dist.on_main_patiently(fails)
    except (ValueError, RuntimeError) as error:
        return [kept, str(error)]
    return [kept, "nothing was raised"]


def stop_and_go_on(dist, folder, whole):
    """Stop after step 5, load the checkpoint into another network, finish: is every weight bit-equal to the whole run?"""
    import contextlib

    import torch
    from test_trainer import Points, StopAfter, network, weighted_step

    from rca_dist.errors import Stopped
    from rca_dist.runtime.checkpoint import Checkpoints
    from rca_dist.training.trainer import Trainer

    store = Checkpoints(folder / f"world{dist.world_size}", dist)
    options = {"distributed": dist, "global_batch_size": 6, "max_tokens_per_micro_batch": 9, "learning_rate": 0.05, "epochs": 2,
               "checkpoints": store, "save_steps": 10**6, "progress": False}  # fmt: skip
    # Only one rank is asked: all must stop after the same step.
    stop = StopAfter(4) if dist.rank == dist.world_size - 1 else lambda: False
    with contextlib.suppress(Stopped):
        Trainer(network(), weighted_step, Points(), stop_requested=stop, **options).fit()
    again = Trainer(network(seed=7), weighted_step, Points(), **options)
    path, manifest = store.newest_valid()
    store.load(path, again.engine)
    again.step = manifest["step"]
    assert again.step == 5
    again.fit()
    return all(torch.equal(a, b) for a, b in zip(again.model.parameters(), whole.parameters(), strict=True))


def language_model(dist, HFModelAdapter, RCADataset, Trainer, Evaluator):
    """Three steps of builtin:tiny on made-up tickets (step sizes 5, 5, 1: a rank is idle), then loss and answers."""
    import numpy as np
    import pandas as pd

    from rca_dist.tickets.table import TicketTable

    rng = np.random.default_rng(1)
    words = ["printer", "down", "restart", "the", "cable", "was", "loose", "résolu", "network"]
    texts = [" ".join(rng.choice(words, size=rng.integers(2, 30))) for _ in range(24)]
    frame = pd.DataFrame({"id": [str(n) for n in range(12)], "prompt": texts[:12], "answer": texts[12:], "group": range(12)})
    frame["split"] = ["train"] * 11 + ["test"]
    table = TicketTable(frame, {}, "x")
    adapter = HFModelAdapter.load("builtin:tiny", texts=texts, once=dist.on_main)

    def encode(part):
        return RCADataset.from_tickets(
            part["id"].tolist(),
            part["prompt"].tolist(),
            part["answer"].tolist(),
            adapter.tokenizer,
            eos_id=adapter.eos_id,
            pad_id=adapter.pad_id,
            template="{ticket}:",
            max_length=128,
        )

    data = {"train": encode(table.rows("train")), "validation": encode(table.rows("train")), "test": encode(table.rows("test"))}
    rows = []
    Trainer(
        adapter.model,
        adapter.step,
        data["train"],
        distributed=dist,
        global_batch_size=5,
        max_tokens_per_micro_batch=64,
        max_steps=3,
        log_steps=1,
        log_row=rows.append,
        progress=False,
        learning_rate=1e-3,
    ).fit()
    frame.loc[:, "split"] = "train"
    evaluator = Evaluator(adapter, table, {"train": encode(frame)}, distributed=dist, systems=["model"], max_new_tokens=6)
    return {
        "lm_losses": [row["train/loss"] for row in rows],
        "eval": evaluator.loss("train"),
        "answers": evaluator.answers("model", "train", None).texts,
    }


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    from gloo import run_ranks

    folder = str(tmp_path_factory.mktemp("checkpoints"))
    return {world: run_ranks(world, HERE, "job", folder, timeout=240) for world in (1, 2, 3)}


@pytest.mark.parametrize("world", [1, 2, 3])
def test_resume_is_invisible_bit_for_bit(results, world):
    assert [r["resumed_equals_whole"] for r in results[world]] == [True] * world


def test_ranks_agree_with_each_other(results):
    for world, ranks in results.items():
        assert [r["rank"] for r in ranks] == list(range(world))
        assert {r["world"] for r in ranks} == {world}
        for key in ("losses", "weights", "lm_losses", "eval", "answers", "sum", "error"):
            assert all(r[key] == ranks[0][key] for r in ranks), key
        assert ranks[0]["any"] == [world > 1, False]
        assert ranks[0]["error"] == "bad file"
        assert ranks[0]["sum"] == [sum(range(world)), world * 2**40 + sum(range(world))]


@pytest.mark.parametrize("world", [1, 2, 3])
def test_ranks_wait_for_rank_0_beyond_a_collective_s_time_limit(results, world):
    for rank, found in enumerate(results[world]):
        kept, message = found["patience"]
        assert kept == (0 if rank == 0 else None)
        assert "no such model" in message


@pytest.mark.parametrize("world", [2, 3])
def test_the_number_of_processes_changes_no_number(results, world):
    alone, many = results[1][0], results[world][0]
    for key in ("losses", "norms", "lm_losses"):
        assert many[key] == pytest.approx(alone[key], rel=1e-6), key
    assert many["weights"] == pytest.approx(alone["weights"], rel=1e-4, abs=1e-6)
    assert many["eval"] == pytest.approx(alone["eval"], rel=1e-6)
    assert many["answers"] == alone["answers"]


def test_a_failing_rank_is_reported_with_its_output():
    from gloo import run_ranks

    with pytest.raises(AssertionError, match=r"rank 1.*\n.*boom|boom"):
        run_ranks(2, HERE, "fails", timeout=60)


def fails(_):
    """Rank 1 raises."""
    import os

    if os.environ["RANK"] == "1":
        raise RuntimeError("boom")
