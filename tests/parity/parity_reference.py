"""What every back end is held against: one process, one example at a time, everything in float64.

Loss, token mean, clipping, AdamW, LoRA and the norms are written here once more from their formulas. From rca_dist come
only the examples (ids and labels) and the order in which an epoch uses them.
"""

import math
from dataclasses import dataclass
from pathlib import Path

import torch
from parity_models import LORA, SCENARIOS, STEPS, dataset, linear_shapes

RATE, WARMUP, BETAS, EPSILON, DECAY = 1e-3, 2, (0.9, 0.95), 1e-8, 0.05
# Linear warm-up over two steps, then half a cosine over the other eight.
FACTORS = (1 / 3, 2 / 3, 1.0, 0.9619397662556434, 0.8535533905932737, 0.6913417161825449, 0.5, 0.3086582838174551,
           0.14644660940672627, 0.03806023374435663)  # fmt: skip


@dataclass
class Reference:
    """The exact run. Tensors are float64, by plain parameter name."""

    eval_loss: float
    losses: list[float]
    norms: list[float]
    first_gradient: dict[str, torch.Tensor]  # after clipping
    weights: dict[str, torch.Tensor]  # trainable ones after the last step


class Norm64(torch.nn.Module):
    """RMSNorm (Zhang and Sennrich 2019, eq. 4) in the input's precision; transformers computes it in float32."""

    def __init__(self, weight: torch.nn.Parameter, epsilon: float) -> None:
        super().__init__()
        self.weight, self.epsilon = weight, epsilon

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.weight * x / (x.square().mean(-1, keepdim=True) + self.epsilon).sqrt()


class Adapted(torch.nn.Module):
    """A linear map plus alpha / r * B A (Hu et al. 2021, eq. 3)."""

    def __init__(self, base: torch.nn.Module, a: torch.Tensor, b: torch.Tensor) -> None:
        super().__init__()
        self.base, self.lora_A, self.lora_B = (base, torch.nn.Parameter(a), torch.nn.Parameter(b))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.base(x) + LORA["alpha"] / LORA["r"] * ((x @ self.lora_A.T) @ self.lora_B.T)


def load(folder: Path, model: str, lora: bool) -> torch.nn.Module:
    """The saved model in float64, with the saved adapter around its linear maps where `lora`."""
    from safetensors.torch import load_file
    from transformers import AutoModelForCausalLM

    net = AutoModelForCausalLM.from_pretrained(folder / model, dtype=torch.float32, attn_implementation="sdpa").double().eval()
    for path, module in list(net.named_modules()):
        if type(module).__name__.endswith("RMSNorm"):
            net.set_submodule(path, Norm64(module.weight, module.variance_epsilon))
    if lora:
        adapter = load_file(folder / f"{model}-lora.safetensors")
        net.requires_grad_(False)
        for path in linear_shapes(net):
            a, b = (adapter[f"{path}.lora_{part}"].double() for part in "AB")
            net.set_submodule(path, Adapted(net.get_submodule(path), a, b))
    return net


def example_loss(net: torch.nn.Module, item: dict) -> tuple[torch.Tensor, int]:
    """Sum of the NLL of the supervised tokens of one example, and their number: all logits, one forward pass."""
    ids, labels = torch.as_tensor(item["input_ids"]), torch.as_tensor(item["labels"])
    logits = net(input_ids=ids[None], use_cache=False).logits[0, :-1]
    assert logits.dtype == torch.float64
    nll, count = logits.new_zeros(()), 0
    for position, target in enumerate(labels[1:].tolist()):
        if target != -100:
            nll = nll + logits[position].logsumexp(0) - logits[position, target]
            count += 1
    return nll, count


@torch.no_grad()
def evaluate(net: torch.nn.Module, data) -> float:
    """Sum of NLL over number of supervised tokens of all examples."""
    pairs = [example_loss(net, data[n]) for n in range(len(data))]
    return math.fsum(float(nll) for nll, _ in pairs) / sum(count for _, count in pairs)


def steps(scenario: str, number: int) -> list[list[int]]:
    """Which examples form each step: the epoch's order, cut into pieces of the global batch size."""
    from rca_dist.tokens.batching import StepPlan

    it, data, out, epoch = SCENARIOS[scenario], dataset(scenario), [], 0
    plan = StepPlan(data.lengths, data.counts, global_batch_size=it.global_batch_size, max_tokens=1, seed=it.seed)
    while len(out) < number:
        order = plan.order(epoch).tolist()
        assert sorted(order) == list(range(len(data)))
        out += [order[start : start + it.global_batch_size] for start in range(0, len(order), it.global_batch_size)]
        epoch += 1
    return out[:number]


def run(folder: Path, model: str, lora: bool, scenario: str, clip: float) -> Reference:
    """Ten AdamW steps (Loshchilov and Hutter 2019, alg. 2) on the exact gradient of each step's token mean."""
    net, data = load(folder, model, lora), dataset(scenario)
    names = {name: p for name, p in net.named_parameters() if p.requires_grad}
    result = Reference(evaluate(net, data), [], [], {}, {})
    first = {name: torch.zeros_like(p) for name, p in names.items()}
    second = {name: torch.zeros_like(p) for name, p in names.items()}
    for t, examples in enumerate(steps(scenario, STEPS), start=1):
        net.zero_grad()
        total = sum(int((data[n]["labels"][1:] != -100).sum()) for n in examples)
        assert total > 0, "a step without any supervised token has no mean"
        loss = 0.0
        for n in examples:
            nll, count = example_loss(net, data[n])
            if count:
                (nll / total).backward()
                loss += float(nll.detach()) / total
        gradient = {name: p.grad if p.grad is not None else torch.zeros_like(p) for name, p in names.items()}
        norm = math.sqrt(math.fsum(float(g.square().sum()) for g in gradient.values()))
        if clip and norm > clip:
            gradient = {name: g * (clip / norm) for name, g in gradient.items()}
        rate = RATE * FACTORS[t - 1]
        with torch.no_grad():
            for name, p in names.items():
                g = gradient[name]
                first[name] = BETAS[0] * first[name] + (1 - BETAS[0]) * g
                second[name] = BETAS[1] * second[name] + (1 - BETAS[1]) * g * g
                p *= 1 - rate * (DECAY if p.ndim >= 2 else 0.0)
                p -= rate * (first[name] / (1 - BETAS[0] ** t)) / ((second[name] / (1 - BETAS[1] ** t)).sqrt() + EPSILON)
        result.losses.append(loss)
        result.norms.append(norm)
        if t == 1:
            result.first_gradient = {name: g.clone() for name, g in gradient.items()}
    result.weights = {name: p.detach().clone() for name, p in names.items()}
    return result
