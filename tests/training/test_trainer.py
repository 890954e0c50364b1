"""The loop on a plain network: exact steps, events, schedule, stopping and going on."""

import math

import numpy as np
import pytest
import torch

from rca_dist.errors import Stopped
from rca_dist.runtime.checkpoint import Checkpoints
from rca_dist.training.optim import rate_factor, warmup_length
from rca_dist.training.progress import duration
from rca_dist.training.rehearsal import rehearse
from rca_dist.training.trainer import EVENTS, Trainer


class Points:
    """37 points with weights 0..3: an example with weight 0 has nothing supervised."""

    def __init__(self, n=37):
        rng = np.random.default_rng(0)
        self.x = torch.as_tensor(rng.normal(size=(n, 5)), dtype=torch.float32)
        self.y = torch.as_tensor(rng.normal(size=(n, 2)), dtype=torch.float32)
        self.counts = np.arange(n) % 4
        self.lengths = np.arange(n) % 7 + 1

    def collate(self, indices):
        rows = list(indices)
        return {"x": self.x[rows], "y": self.y[rows], "w": torch.as_tensor(self.counts[rows], dtype=torch.float32)}


def network(seed=0):
    torch.manual_seed(seed)
    return torch.nn.Sequential(torch.nn.Linear(5, 8), torch.nn.Tanh(), torch.nn.Linear(8, 2))


def weighted_step(model, batch):
    error = ((model(batch["x"]) - batch["y"]) ** 2).sum(dim=1)
    return (error * batch["w"]).sum(dtype=torch.float64), batch["w"].sum()


def trainer(distributed, data=None, **changes):
    options = {
        "global_batch_size": 6,
        "max_tokens_per_micro_batch": 9,
        "learning_rate": 0.05,
        "epochs": 2,
        "progress": False,
        "log_steps": 1,
    }
    return Trainer(
        changes.pop("model", None) or network(), weighted_step, data or Points(), distributed=distributed, **(options | changes)
    )


def reference(steps, *, examples, clip=0.0, decay=0.01):
    """Full-batch float64 AdamW over the same examples; returns losses and weights."""
    data, model = Points(), network().double()
    optimizer = torch.optim.AdamW(
        [
            {"params": [p for p in model.parameters() if p.ndim >= 2], "weight_decay": decay},
            {"params": [p for p in model.parameters() if p.ndim < 2], "weight_decay": 0.0},
        ],
        lr=0.05,
        betas=(0.9, 0.95),
    )
    losses = []
    for step in range(steps):
        rows = examples[step].tolist()
        weight = torch.as_tensor(data.counts[rows], dtype=torch.float64)
        loss = (((model(data.x[rows].double()) - data.y[rows].double()) ** 2).sum(1) * weight).sum() / weight.sum()
        optimizer.zero_grad()
        loss.backward()
        if clip:
            torch.nn.utils.clip_grad_norm_(model.parameters(), clip)
        optimizer.step()
        losses.append(float(loss.detach()))
    return losses, [p.detach() for p in model.parameters()]


@pytest.mark.parametrize("budget", [7, 9, 20, 1000])
@pytest.mark.parametrize("clip", [0.0, 0.5])
def test_a_step_is_the_gradient_of_the_mean_over_its_examples(distributed, budget, clip):
    run = trainer(
        distributed, max_tokens_per_micro_batch=budget, max_grad_norm=clip, lr_scheduler="constant", warmup_steps=0, epochs=2
    )
    rows = []
    run.add_callback("on_log", lambda t: rows.append(t.row["train/loss"]))
    examples = [step.examples for step in run.plan.steps(0, run.total_steps)]
    run.fit()
    losses, weights = reference(run.total_steps, examples=examples, clip=clip)
    assert rows == pytest.approx(losses, rel=1e-6)
    for ours, exact in zip(run.model.parameters(), weights, strict=True):
        assert float((ours.detach() - exact).norm() / exact.norm()) < 1e-5


def test_events_come_in_order_and_can_be_replaced(distributed):
    run = trainer(distributed, epochs=0.1, max_tokens_per_micro_batch=1000, evaluate=lambda: {"eval/loss": 1.0})
    seen = []
    for event in EVENTS:
        run.add_callback(event, lambda t, event=event: seen.append(event))
    run.set_callback("on_log", lambda t: seen.append(("log", t.step, sorted(t.row))))
    run.fit()
    row = ["epoch", "step", "train/grad_norm", "train/loss", "train/lr", "train/tokens_per_second"]
    assert seen == [
        "on_train_begin",
        "on_step_begin",
        "on_batch_end",
        ("log", 1, row),
        "on_step_end",
        "on_evaluate",
        "on_train_end",
    ]


def test_unknown_event_is_refused(distributed):
    with pytest.raises(ValueError, match="on_batch_end"):
        trainer(distributed).add_callback("on_batch", print)


def test_rows_are_logged_at_the_first_every_nth_and_the_last_step(distributed):
    rows = []
    trainer(distributed, log_steps=5, epochs=2, log_row=rows.append).fit()
    assert [row["step"] for row in rows] == [1, 5, 10, 14]
    assert rows[-1]["epoch"] == 2.0


def test_rate_schedules_in_closed_form():
    options = {"total": 10, "warmup": 4}
    assert [rate_factor(s, kind="linear", **options) for s in range(4)] == [0.2, 0.4, 0.6, 0.8]
    assert rate_factor(4, kind="linear", **options) == 1.0
    assert rate_factor(7, kind="linear", **options) == 0.5
    assert rate_factor(7, kind="cosine", **options) == pytest.approx(0.5)
    assert rate_factor(10, kind="cosine", **options) == pytest.approx(0.0)
    assert rate_factor(9, kind="constant", **options) == 1.0
    assert (warmup_length(100, None, 0.05), warmup_length(100, 7, 0.5), warmup_length(3, 9, 0)) == (5, 7, 2)
    with pytest.raises(ValueError, match="cosine, linear, constant"):
        rate_factor(9, kind="step", **options)


class StopAfter:
    def __init__(self, calls):
        self.calls = calls

    def __call__(self):
        self.calls -= 1
        return self.calls < 0


@pytest.mark.parametrize("cuts", [[3], [1, 5, 6]])
def test_stopped_and_continued_equals_uninterrupted(distributed, tmp_path, cuts):
    whole_rows, rows, examples = [], [], []
    whole = trainer(distributed, log_row=whole_rows.append)
    whole.fit()
    store = Checkpoints(tmp_path / "checkpoints", distributed)
    done = 0
    for stop in [*cuts, 10**6]:
        run = trainer(
            distributed,
            model=network(seed=9),
            log_row=rows.append,
            checkpoints=store,
            save_steps=10**6,
            stop_requested=StopAfter(stop - done - 1),
        )
        if done == 0:
            run = trainer(
                distributed, log_row=rows.append, checkpoints=store, save_steps=10**6, stop_requested=StopAfter(stop - 1)
            )
        else:
            path, manifest = store.newest_valid()
            store.load(path, run.engine)
            run.step = manifest["step"]
            assert run.step == done
        run.add_callback("on_step_begin", lambda t: examples.append(t.step))
        if stop < 10**6:
            with pytest.raises(Stopped, match=f"after step {stop} of"):
                run.fit()
        else:
            run.fit()
        done = stop
    assert examples == list(range(whole.total_steps))
    strip = [{k: v for k, v in row.items() if k != "train/tokens_per_second"} for row in rows]
    assert strip == [{k: v for k, v in row.items() if k != "train/tokens_per_second"} for row in whole_rows]
    assert all(torch.equal(a, b) for a, b in zip(run.model.parameters(), whole.model.parameters(), strict=True))


def test_a_loss_that_is_not_finite_stops_with_the_step(distributed):
    run = trainer(distributed)
    run.model[0].weight.data[0, 0] = math.nan
    with pytest.raises(FloatingPointError, match="at step 1"):
        run.fit()


def test_state_that_is_not_finite_is_never_saved(distributed, tmp_path):
    store = Checkpoints(tmp_path, distributed)
    run = trainer(distributed, checkpoints=store, save_steps=2, log_steps=100)

    def poison(t):
        if t.step == 5:
            t.model[0].weight.data[0, 0] = math.nan

    run.add_callback("on_step_begin", poison)
    with pytest.raises(FloatingPointError, match="at step 6"):
        run.fit()
    assert [p.name for p in store.complete()] == ["step-000002", "step-000004"]


def test_a_gradient_that_is_not_finite_is_never_saved(distributed, tmp_path):
    class Broken(torch.autograd.Function):
        """Identity whose gradient is infinite."""

        @staticmethod
        def forward(ctx, x):
            return x.clone()

        @staticmethod
        def backward(ctx, grad):
            return grad * math.inf

    def step(model, batch):
        total, count = weighted_step(model, batch)
        return Broken.apply(total), count

    store = Checkpoints(tmp_path, distributed)
    run = Trainer(network(), step, Points(), distributed=distributed, checkpoints=store, save_steps=1, progress=False)
    with pytest.raises(FloatingPointError, match=r"gradient norm is .* at step 1"):
        run.fit()
    assert store.complete() == []


def test_a_step_with_nothing_supervised_changes_no_weight(distributed):
    data = Points(4)
    data.counts = np.zeros(4, dtype=int)
    run = trainer(distributed, data=data, epochs=1)
    before = [p.clone() for p in run.model.parameters()]
    run.fit()
    assert run.row["train/loss"] == 0.0
    assert all(torch.equal(a, b) for a, b in zip(before, run.model.parameters(), strict=True))


def test_rehearsal_changes_nothing(distributed):
    run = trainer(distributed)
    before = [p.clone() for p in run.model.parameters()]
    facts = rehearse(run)
    assert facts["positions"] == 7 * facts["examples"]
    assert facts["loss"] > 0
    assert all(torch.equal(a, b) for a, b in zip(before, run.model.parameters(), strict=True))
    assert all(p.grad is None for p in run.model.parameters())


def test_durations_read_well():
    assert [duration(s) for s in (3.4, 200, 7500)] == ["3 s", "3 min 20 s", "2 h 05 min"]
