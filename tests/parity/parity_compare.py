"""How far a cell is from the exact run, and what is allowed."""

import math
from pathlib import Path
from typing import Any

import torch
from parity_cells import Cell
from parity_reference import Reference, evaluate, load

# Relative deviations (promises 1 and 2): of sums for losses, of 2-norms for tensors.
LIMITS = {
    "eval": 1e-6,  # evaluation loss, of the first and of the last weights
    "gradient": 1e-5,  # worst tensor of the first step
    "losses": 1e-6,  # worst of ten training losses
    "norms": 1e-5,  # worst of ten gradient norms
    "weights": 1e-5,  # all trainable weights together after ten steps
    "tensor": 1e-4,  # worst single tensor after ten steps
    "noise": 1e-6,  # a gradient that is exactly zero, over the norm of the whole gradient
}
ZERO = 1e-12


def deviations(cell: Cell, folder: Path, out: Path, results: list[dict[str, Any]], exact: Reference) -> dict[str, float]:
    """The largest relative deviation of each kind in LIMITS; `results` are those of all ranks for this cell.

    Raises: AssertionError when ranks disagree, a tensor is missing, or a frozen weight has changed.
    """
    from safetensors.torch import load_file

    assert all(result == results[0] for result in results), f"{cell.name}: ranks report different numbers"
    result, tensors, data_of = (results[0], load_file(out / f"{cell.name}.safetensors"), exact)
    gradient = split_biases({name[9:]: t for name, t in tensors.items() if name.startswith("gradient.")})
    weights = {name[7:]: t for name, t in tensors.items() if name.startswith("weight.")}
    if cell.lora:
        check_frozen(cell, folder, weights, exact)
    truth, gone = split_biases(data_of.first_gradient), set()
    assert gradient.keys() == truth.keys(), gradient.keys() ^ truth.keys()
    whole = norm(truth.values())
    gone = {name for name, t in truth.items() if float(t.norm()) < ZERO * whole}
    ours, exact_weights = (split_biases({n: weights[n] for n in exact.weights}), split_biases(exact.weights))
    return {
        "eval": max(
            relative(result["eval_before"], exact.eval_loss), relative(result["eval_after"], loss_of(cell, folder, weights))
        ),
        "gradient": max(distance(gradient[n], truth[n]) for n in truth if n not in gone),
        "losses": worst(result["losses"], exact.losses),
        "norms": worst(result["norms"], exact.norms),
        "weights": norm(ours[n].double() - exact_weights[n] for n in truth if n not in gone)
        / norm(exact_weights[n] for n in truth if n not in gone),
        "tensor": max(distance(ours[n], exact_weights[n]) for n in truth if n not in gone),
        "noise": norm(gradient[n] for n in gone) / whole,
    }


def loss_of(cell: Cell, folder: Path, weights: dict[str, torch.Tensor]) -> float:
    """Exact evaluation loss of the weights that a run ended with."""
    from parity_models import dataset

    net = load(folder, cell.model, cell.lora)
    with torch.no_grad():
        for name, p in net.named_parameters():
            p.copy_(weights[name.replace(".base.", ".")])
    return evaluate(net, dataset(cell.scenario))


def check_frozen(cell: Cell, folder: Path, weights: dict[str, torch.Tensor], exact: Reference) -> None:
    """Under LoRA every weight of the saved model is bit-equal to what was loaded."""
    from safetensors.torch import load_file

    start = load_file(folder / cell.model / "model.safetensors")
    changed = [name for name, t in start.items() if not torch.equal(weights[name], t)]
    assert start and not changed, f"{cell.name}: frozen weights changed: {changed}"
    assert not start.keys() & exact.weights.keys()


def split_biases(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """GPT-2's joint bias as three: adding a constant to all keys changes no attention, so the key's gradient is exactly zero."""
    out = {}
    for name, t in tensors.items():
        if name.endswith("c_attn.bias"):
            out |= {f"{name}.{part}": piece for part, piece in zip("qkv", t.chunk(3), strict=True)}
        else:
            out[name] = t
    return out


def norm(tensors) -> float:
    """2-norm of all tensors together; 0 for none."""
    return sum(float(t.double().square().sum()) for t in tensors) ** 0.5


def distance(ours: torch.Tensor, exact: torch.Tensor) -> float:
    """Relative L2 distance."""
    assert ours.shape == exact.shape
    return norm([ours.double() - exact]) / norm([exact])


def relative(ours: float, exact: float) -> float:
    """Relative difference; what is no number is infinitely far."""
    value = abs(ours - exact) / abs(exact)
    return float("inf") if math.isnan(value) else value


def worst(ours: list[float], exact: list[float]) -> float:
    """Largest relative difference of two lists of equal length."""
    assert len(ours) == len(exact), (len(ours), len(exact))
    return max(map(relative, ours, exact))
