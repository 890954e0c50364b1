"""Early stopping and the best weights: which step wins, when training ends, what a resumed run remembers."""

import math
import shutil

import pytest
import torch
from test_trainer import StopAfter, network, trainer

from rca_dist.errors import Stopped, UserError
from rca_dist.runtime.checkpoint import Checkpoints
from rca_dist.training.best import Best
from rca_dist.training.optim import rate_factor

# Best after the third evaluation; two evaluations of four steps later patience runs out.
LOSSES = [5.0, 3.0, 2.0, 2.5, 2.0, 1.0, 0.5]


class Losses:
    """An evaluation that gives the listed losses in turn, and keeps the weights it saw."""

    def __init__(self, losses, start=0):
        self.losses = iter(losses[start:])
        self.weights = []
        self.run = None

    def __call__(self):
        self.weights.append([p.detach().clone() for p in self.run.model.parameters()])
        return {"eval/loss": next(self.losses)}


def make(distributed, losses=LOSSES, start=0, **changes):
    evaluate = Losses(losses, start)
    options = {"eval_steps": 2, "save_steps": 2, "epochs": 2, "early_stopping_patience": 2, "keep_best": True} | changes
    evaluate.run = trainer(distributed, evaluate=evaluate, **options)
    return evaluate.run, evaluate


def equal(model, weights):
    return all(torch.equal(a, b) for a, b in zip(model.parameters(), weights, strict=True))


def test_the_best_is_the_lowest_and_never_one_that_is_not_finite():
    best = Best(patience=3)
    assert [best.see(n, loss) for n, loss in enumerate([math.nan, 2.0, math.inf, 3.0, 2.0])] == [
        False,
        True,
        False,
        False,
        False,
    ]
    assert (best.step, best.loss, best.worse, best.exhausted) == (1, 2.0, 3, True)
    again = Best(patience=3)
    again.restore(best.state())
    assert vars(again) == vars(best)
    assert not Best(None).exhausted
    empty = Best(2)
    empty.restore(Best(2).state())
    assert (empty.step, empty.loss) == (None, math.inf)


def test_training_ends_when_patience_runs_out_with_the_best_weights(distributed, tmp_path):
    store = Checkpoints(tmp_path, distributed, keep_last=1)
    run, evaluate = make(distributed, checkpoints=store)
    run.fit()
    assert (run.step, run.best.step, run.weights_step, run.total_steps) == (10, 6, 6, 14)
    assert equal(run.model, evaluate.weights[2])
    assert not equal(run.model, evaluate.weights[4])
    # The best one stays beside the newest.
    assert [path.name for path in store.complete()] == ["step-000006", "step-000010"]
    assert (tmp_path / "best").read_text().strip() == "step-000006"
    assert (tmp_path / "latest").read_text().strip() == "step-000010"


def test_without_keeping_the_best_the_last_weights_stay(distributed, tmp_path):
    run, evaluate = make(distributed, checkpoints=Checkpoints(tmp_path, distributed), keep_best=False)
    run.fit()
    assert run.step == 10
    assert equal(run.model, evaluate.weights[4])
    assert not (tmp_path / "best").exists()


def test_the_best_may_be_the_last(distributed, tmp_path):
    run, evaluate = make(distributed, sorted(LOSSES, reverse=True), checkpoints=Checkpoints(tmp_path, distributed))
    run.fit()
    assert run.step == run.total_steps == 14
    assert equal(run.model, evaluate.weights[-1])


@pytest.mark.parametrize("stop", [7, 9])
def test_a_stopped_run_remembers_what_was_best(distributed, tmp_path, stop):
    store = Checkpoints(tmp_path, distributed, keep_last=1)
    run, _ = make(distributed, checkpoints=store, stop_requested=StopAfter(stop - 1))
    with pytest.raises(Stopped):
        run.fit()
    again, evaluate = make(distributed, start=stop // 2, checkpoints=store, model=network(seed=5))
    path, manifest = store.newest_valid()
    store.load(path, again.engine)
    again.resume(manifest)
    assert (again.step, again.best.step) == (stop, 6)
    again.fit()
    assert (again.step, again.best.step) == (10, 6)
    whole, seen = make(distributed, checkpoints=Checkpoints(tmp_path / "whole", distributed))
    whole.fit()
    assert equal(again.model, list(whole.model.parameters()))
    assert equal(again.model, seen.weights[2])
    assert evaluate.weights


def test_a_run_that_had_stopped_early_does_not_train_on(distributed, tmp_path):
    store = Checkpoints(tmp_path, distributed)
    run, _ = make(distributed, checkpoints=store)
    run.fit()
    again, _ = make(distributed, checkpoints=store)
    path, manifest = store.newest_valid()
    store.load(path, again.engine)
    again.resume(manifest)
    again.fit()
    assert again.step == 10
    assert equal(again.model, list(run.model.parameters()))


def test_a_damaged_best_checkpoint_is_told(distributed, tmp_path):
    store = Checkpoints(tmp_path, distributed)
    run, _ = make(distributed, checkpoints=store)
    run.add_callback("on_step_end", lambda t: (tmp_path / "step-000006" / "optimizer.pt").unlink() if t.step == 9 else None)
    with pytest.raises(UserError, match=r"step-000006.*optimizer\.pt is missing.*run\.overwrite"):
        run.fit()


def test_a_best_checkpoint_that_was_never_written_leaves_the_last_weights(distributed, tmp_path, caplog):
    store = Checkpoints(tmp_path, distributed)
    run, _ = make(distributed, checkpoints=store)
    run.add_callback("on_step_end", lambda t: shutil.rmtree(tmp_path / "step-000006") if t.step == 9 else None)
    run.fit()
    assert run.weights_step is None
    assert "could not be written" in caplog.text


@pytest.mark.parametrize("kill", ["before the pointer", "no pointer at all"])
def test_the_manifest_and_not_the_pointer_says_what_was_best(distributed, tmp_path, kill):
    """As after a kill between a checkpoint's rename and its pointer."""
    store = Checkpoints(tmp_path, distributed, keep_last=1)
    run, _ = make(distributed, checkpoints=store, stop_requested=StopAfter(5))
    with pytest.raises(Stopped):
        run.fit()
    assert store.complete()[-1].name == "step-000006"
    if kill == "before the pointer":
        (tmp_path / "best").write_text("step-000004\n")
    else:
        (tmp_path / "best").unlink()
    again, _ = make(distributed, start=3, checkpoints=store)
    path, manifest = store.newest_valid()
    store.load(path, again.engine)
    again.resume(manifest)
    again.fit()
    whole, seen = make(distributed, checkpoints=Checkpoints(tmp_path / "whole", distributed))
    whole.fit()
    assert again.weights_step == 6
    assert equal(again.model, seen.weights[2])


def test_lost_best_weights_are_noticed_on_going_on(distributed, tmp_path, caplog):
    store = Checkpoints(tmp_path, distributed, keep_last=1)
    run, _ = make(distributed, checkpoints=store, stop_requested=StopAfter(6))
    with pytest.raises(Stopped):
        run.fit()
    (tmp_path / "step-000006" / "model.safetensors").write_bytes(b"")
    again, _ = make(distributed, start=3, checkpoints=store)
    path, manifest = store.newest_valid()
    store.load(path, again.engine)
    with caplog.at_level("WARNING", logger="rca_dist"):
        again.resume(manifest)
    assert (again.step, again.best.step) == (7, None)
    again.fit()
    assert again.best.step is not None and again.best.step > 7


def test_damaged_checkpoints_do_not_push_good_ones_out(distributed, tmp_path):
    store = Checkpoints(tmp_path, distributed, keep_last=1)
    run, _ = make(distributed, checkpoints=store, stop_requested=StopAfter(7))
    with pytest.raises(Stopped):
        run.fit()
    assert [path.name for path in store.complete()] == ["step-000006", "step-000008"]
    (tmp_path / "step-000008" / "model.safetensors").write_bytes(b"")
    path, manifest = store.newest_valid()
    assert path.name == "step-000006"
    assert (tmp_path / "step-000008.damaged").is_dir()
    again, _ = make(
        distributed, start=3, checkpoints=store, keep_best=False, early_stopping_patience=None, stop_requested=StopAfter(0)
    )
    store.load(path, again.engine)
    again.resume(manifest)
    with pytest.raises(Stopped):
        again.fit()
    assert [path.name for path in store.complete()] == ["step-000007"]


@pytest.mark.parametrize(("ratio", "falls"), [(0.2, 4), (0.5, 10), (1.0, 18), (0.01, 1)])
def test_wsd_rises_stays_and_falls_in_a_line(ratio, falls):
    rates = [rate_factor(n, total=20, warmup=2, kind="wsd", decay_ratio=ratio) for n in range(20)]
    assert rates[:2] == [pytest.approx(1 / 3), pytest.approx(2 / 3)]
    assert rates[2 : 20 - falls + 1] == [1.0] * (19 - falls)
    tail = rates[20 - falls :]
    assert tail == pytest.approx([1 - n / falls for n in range(falls)])
    # Until it falls, the rate does not depend on how long the run is.
    assert rates[: 20 - falls] == [
        rate_factor(n, total=40, warmup=2, kind="wsd", decay_ratio=ratio / 2) for n in range(20 - falls)
    ]
