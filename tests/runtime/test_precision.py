"""fp16: the loss scale, steps skipped on all ranks, and the stop after ten of them; guards against lone copies."""

from pathlib import Path

import pytest
import torch

from rca_dist.errors import UserError
from rca_dist.runtime.distributed import Distributed, resolve_precision
from rca_dist.runtime.loss_scale import LossScale

HERE = Path(__file__)


def test_the_loss_scale_halves_on_overflow_and_doubles_after_many_good_steps():
    scale = LossScale(8.0, growth_interval=3)
    assert [scale.judge(finite) for finite in (True, False, True, True, True)] == [True, False, True, True, True]
    assert (scale.value, scale.skipped) == (8.0, 1)
    again = LossScale()
    again.restore(scale.state())
    assert vars(again) == vars(scale)


def test_ten_skipped_steps_in_a_row_end_the_run():
    scale = LossScale()
    for _ in range(9):
        scale.judge(False)
    scale.judge(True)
    for _ in range(9):
        scale.judge(False)
    with pytest.raises(FloatingPointError, match="10 steps in a row"):
        scale.judge(False)


class Numbers:
    """Ten examples of one number each; `spoil` lists steps (from 1) whose gradient, but not loss, is infinite."""

    lengths = [1] * 10
    counts = [1] * 10

    def __init__(self, spoil):
        self.spoil = spoil
        self.step = 0

    def collate(self, indices):
        return {"x": torch.tensor([[(i + 1) / 100] for i in indices] or [[0.0]]), "filler": not len(indices)}


def make(dist, spoil, **changes):
    from rca_dist.training.trainer import Trainer

    torch.manual_seed(0)
    data = Numbers(spoil)

    def step(model, batch):
        out = model(batch["x"]).float().square().sum() * (0.0 if batch["filler"] else 1.0)
        if run.step + 1 in spoil and dist.rank == dist.world_size - 1:
            out = out + (model.weight.sum() * 0.0).sqrt()  # 0, with an infinite slope
        return out.double(), torch.tensor(len(batch["x"]))

    rows = []
    options = {"distributed": dist, "global_batch_size": 2, "max_steps": 14, "log_steps": 1, "log_row": rows.append,
               "progress": False, "learning_rate": 1e-2, "max_grad_norm": 1.0}  # fmt: skip
    run = Trainer(torch.nn.Linear(1, 1), step, data, **(options | changes))
    if run.engine.scale:
        # Small enough for no overflow but those asked for.
        run.engine.scale.value = 1024.0
    return run, rows


def test_an_infinite_fp16_gradient_skips_its_step_only():
    run, rows = make(Distributed(precision="fp16"), spoil=(3, 4))
    weights = {}
    run.add_callback("on_step_end", lambda t: weights.__setitem__(t.step, t.model.weight.item()))
    run.fit()
    assert weights[2] == weights[3] == weights[4] != weights[5]
    assert rows[-1]["train/skipped_steps"] == 2
    assert rows[-1]["train/loss_scale"] == 1024 / 4


def test_fp16_takes_the_steps_of_fp32():
    losses = {}
    for precision in ("fp32", "fp16"):
        run, rows = make(Distributed(precision=precision), spoil=())
        run.fit()
        losses[precision] = [row["train/loss"] for row in rows]
        norms = [row["train/grad_norm"] for row in rows]
    assert losses["fp16"] == pytest.approx(losses["fp32"], rel=1e-2)
    # Reported without the scale.
    assert max(norms) < 1000


def test_in_fp32_an_infinite_gradient_stops_the_run():
    run, _ = make(Distributed(precision="fp32"), spoil=(3,))
    with pytest.raises(FloatingPointError, match=r"gradient norm is (inf|nan) at step 3"):
        run.fit()


def test_precisions_that_cannot_be_are_refused():
    with pytest.raises(UserError, match="Apple"):
        resolve_precision("bf16", torch.device("mps"))
    assert resolve_precision("fp16", torch.device("cpu")) == "fp16"


def ranks_job(argument):
    """On two ranks: skipped steps, or two copies that differ."""
    dist = Distributed(precision=argument["precision"], timeout_seconds=60)
    if argument["what"] == "skip":
        run, rows = make(dist, spoil=tuple(argument["spoil"]))
        try:
            run.fit()
        except FloatingPointError as error:
            return str(error)
        return [rows[-1]["train/skipped_steps"], float(run.engine.checksum())]
    try:
        run, _ = make(dist, spoil=())
        if dist.rank == 1:
            with torch.no_grad():
                run.model.weight.add_(0.5)
        run.fit()
    except RuntimeError as error:
        return str(error)
    return "nothing was noticed"


@pytest.mark.process
def test_one_rank_with_an_infinite_gradient_makes_all_skip():
    from gloo import run_ranks

    argument = {"what": "skip", "precision": "fp16", "spoil": [2, 5]}
    one, other = run_ranks(2, HERE, "ranks_job", argument, timeout=120)
    assert one == other
    assert one[0] == 2


@pytest.mark.process
@pytest.mark.slow
def test_deepspeed_skips_too_and_ends_after_ten():
    from gloo import backend_environment, run_ranks

    env = backend_environment("zero2")
    one, other = run_ranks(2, HERE, "ranks_job", {"what": "skip", "precision": "fp16", "spoil": [2, 5]}, timeout=180, env=env)
    assert one == other
    assert one[0] == 2
    argument = {"what": "skip", "precision": "fp16", "spoil": list(range(2, 20))}
    assert all("10 steps in a row" in found for found in run_ranks(2, HERE, "ranks_job", argument, timeout=180, env=env))
    argument = {"what": "skip", "precision": "fp32", "spoil": [3]}
    assert all("gradient norm is inf" in found for found in run_ranks(2, HERE, "ranks_job", argument, timeout=180, env=env))


@pytest.mark.process
def test_copies_that_do_not_train_one_model_are_stopped_after_the_first_step():
    from gloo import run_ranks

    for found in run_ranks(2, HERE, "ranks_job", {"what": "apart", "precision": "fp32"}, timeout=120):
        assert "do not train one model" in found
