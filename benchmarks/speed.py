"""Speed of the training step beside TRL's SFTTrainer: same model, same tokens, same batches, taking turns.

python benchmarks/speed.py                                  # builtin:small and builtin:base, fp32
python benchmarks/speed.py --models builtin:base --precision bf16 --output speed.json
"""

import argparse
import contextlib
import dataclasses
import multiprocessing
import statistics
import sys
import tempfile
from collections.abc import Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from candidates import NAMES, TRL, Job, missing, step_examples, work
from gauges import child_environment, machine, pick_device, table, write_json
from harness import Material, prepare_material

# Relative difference of a step's loss from TRL's: fp32 rounding, or bf16 with its 8 bits.
TOLERANCE = {"fp32": 1e-4, "bf16": 2e-2}
WAIT_SECONDS = 1800


def arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", default=["builtin:small", "builtin:base"], metavar="NAME")
    parser.add_argument("--precision", nargs="+", default=["fp32"], choices=["fp32", "bf16"])
    parser.add_argument("--candidates", nargs="+", default=list(NAMES), choices=NAMES, metavar="NAME", help=", ".join(NAMES))
    parser.add_argument("--device", default="auto", choices=["auto", "cpu", "cuda"])
    parser.add_argument("--threads", type=int, help="OpenMP threads of each candidate; default: torch's")
    parser.add_argument("--steps", type=int, default=8, help="measured steps, one per candidate and turn")
    parser.add_argument("--warmup", type=int, default=2, help="steps before them, not measured")
    parser.add_argument("--global_batch_size", type=int, default=16)
    parser.add_argument("--max_tokens", type=int, default=4096, help="ours: tokens per micro-batch")
    parser.add_argument("--max_length", type=int, default=1024)
    parser.add_argument("--tickets", type=int, default=1000, help="generated tickets")
    parser.add_argument("--spread", type=float, default=0.0, help="sigma of log-normal ticket lengths; 0: as generated")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, help="JSON file")
    options = parser.parse_args(argv)
    if options.steps < 1 or options.warmup < 1:
        parser.error("--steps and --warmup must be 1 or more")
    return options


class Runner:
    """The parent's end of one candidate's process."""

    def __init__(self, job: Job) -> None:
        context = multiprocessing.get_context("spawn")
        self.name = job.name
        self.link: Connection
        self.link, theirs = context.Pipe()
        self.process = context.Process(target=work, args=(theirs, job), daemon=True)
        self.process.start()
        theirs.close()
        self.steps: list[dict[str, Any]] = []
        self.last: dict[str, Any] = {}
        self.failure: str | None = None

    def turn(self) -> None:
        """Let the candidate make one step, and wait for it."""
        if self.failure is None:
            self._send()
            facts = self._receive()
            if facts is not None:
                self.steps.append(facts)

    def finish(self) -> None:
        """Let the candidate end, and take what it says of the whole run, such as its peak memory."""
        if self.failure is None:
            self._send()
            self.last = self._receive() or {}
        self.process.join(timeout=60)
        if self.process.is_alive():
            self.process.terminate()

    def _send(self) -> None:
        # One that has failed is gone; what it said is still in the pipe.
        with contextlib.suppress(OSError):
            self.link.send("go")

    def _receive(self) -> dict[str, Any] | None:
        try:
            if self.failure is None and self.link.poll(WAIT_SECONDS):
                facts: dict[str, Any] = self.link.recv()
                if "failed" not in facts:
                    return facts
                self.failure = facts["failed"]
                print(facts["traceback"], file=sys.stderr)
            else:
                self.failure = self.failure or f"silent for {WAIT_SECONDS} s"
        except EOFError:
            self.failure = f"the process ended with exit code {self.process.exitcode}"
        return None


def measure(jobs: Sequence[Job]) -> list[Runner]:
    """All candidates step by step in turn, so that what slows the machine for a while slows all of them alike."""
    runners = [Runner(job) for job in jobs]
    for turn in range(jobs[0].steps if jobs else 0):
        shift = turn % len(runners)
        for runner in (*runners[shift:], *runners[:shift]):
            runner.turn()
        print(f"  step {turn + 1} of {jobs[0].steps} done", file=sys.stderr, flush=True)
    for runner in runners:
        runner.finish()
    return runners


def summarise(runners: Sequence[Runner], tokens: Sequence[int], warmup: int) -> dict[str, dict[str, Any]]:
    """Per candidate: medians over the measured steps; ratios are taken step by step, since steps differ in tokens."""
    whole = {runner.name: runner for runner in runners if runner.failure is None}
    seconds = {name: [step["seconds"] for step in runner.steps[warmup:]] for name, runner in whole.items()}
    rivals = {name: statistics.median(seconds[name]) for name in seconds if name in TRL}
    # The default with and without checkpointing, then whichever TRL setting was fastest here.
    best = min(rivals, key=lambda name: rivals[name]) if rivals else None
    out: dict[str, dict[str, Any]] = {}
    for runner in runners:
        if runner.failure is not None:
            out[runner.name] = {"failed": runner.failure}
            continue
        steps, real = runner.steps[warmup:], tokens[warmup:]
        out[runner.name] = {
            "step_seconds": statistics.median(seconds[runner.name]),
            "step_cpu_seconds": statistics.median(s["cpu_seconds"] for s in steps),
            "tokens_per_second": statistics.median(t / s["seconds"] for t, s in zip(real, steps, strict=True)),
            "supervised_per_second": statistics.median(s["supervised"] / s["seconds"] for s in steps),
            "positions_per_token": sum(s["positions"] for s in steps) / sum(real),
            "micro_batches": statistics.mean(s["micro_batches"] for s in steps),
            **runner.last,
            "ratio_to_trl_default": _ratio(seconds, "trl-default", runner.name),
            "ratio_to_trl_best": _ratio(seconds, best, runner.name),
            "trl_best": best,
            "seconds": [s["seconds"] for s in runner.steps],
            "losses": [s["loss"] for s in runner.steps],
        }  # fmt: skip
    return out


def _ratio(seconds: dict[str, list[float]], reference: str | None, name: str) -> dict[str, float] | None:
    """How many times faster `name` steps than `reference`: median and quartiles over the measured steps."""
    if reference is None or reference not in seconds:
        return None
    ratios = sorted(a / b for a, b in zip(seconds[reference], seconds[name], strict=True))
    low, _, high = statistics.quantiles(ratios, n=4) if len(ratios) > 1 else ratios * 3
    return {"median": statistics.median(ratios), "low": low, "high": high}


def agreement(runners: Sequence[Runner], supervised: Sequence[int], tolerance: float) -> dict[str, Any]:
    """Whether all did the same work: supervised tokens of each step as planned, losses as the first candidate's."""
    whole = [runner for runner in runners if runner.failure is None]
    problems = []
    deviations: dict[str, dict[str, float]] = {}
    for runner in whole:
        reference = whole[0].steps
        found = [step["supervised"] for step in runner.steps[1:]]
        if found != list(supervised[1:]):
            problems.append(f"{runner.name} supervised {found} tokens instead of {list(supervised[1:])}")
        parts = [abs(a["loss"] - b["loss"]) / abs(b["loss"]) for a, b in zip(runner.steps, reference, strict=True)]
        # NaN is larger than nothing: `max` alone would lose one that does not come first.
        largest = next((part for part in parts if part != part), max(parts))
        deviations[runner.name] = {"first_step": parts[0], "all_steps": largest}
        if not largest <= tolerance:
            problems.append(f"{runner.name}: losses differ from {whole[0].name}'s by up to {largest:.2e} (relative)")
    return {"reference": whole[0].name if whole else None, "loss_deviation": deviations, "problems": problems}


def compare(
    model: str, precision: str, device: str, material: Material, options: argparse.Namespace, scratch: Path
) -> dict[str, Any]:
    """One model in one precision: all candidates side by side."""
    skipped = {name: why for name in options.candidates if (why := missing(name))}
    base = Job(
        "", model, material.folder, scratch, device, precision, options.warmup + options.steps,
        options.global_batch_size, options.max_tokens, options.seed,
    )  # fmt: skip
    jobs = [dataclasses.replace(base, name=name) for name in options.candidates if name not in skipped]
    dataset = material.dataset()
    examples = step_examples(base, dataset.lengths, dataset.counts)
    runners = measure(jobs)
    result = summarise(runners, [int(dataset.lengths[part].sum()) for part in examples], options.warmup)
    return {
        "model": model, "precision": precision,
        "candidates": result | {name: {"skipped": why} for name, why in skipped.items()},
        "agreement": agreement(runners, [int(dataset.counts[part].sum()) for part in examples], TOLERANCE[precision]),
    }  # fmt: skip


def show(result: dict[str, Any]) -> None:
    """Print one comparison as a table."""
    head = [
        "",
        "s/step",
        "CPU s/step",
        "tokens/s",
        "supervised/s",
        "x default",
        "x best",
        "positions/token",
        "peak MiB",
        "loss vs first",
    ]
    rows: list[list[Any]] = []
    for name, cell in result["candidates"].items():
        if "step_seconds" not in cell:
            rows.append([f"{name}: {cell.get('skipped') or 'failed: ' + cell['failed']}", *[None] * (len(head) - 1)])
            continue
        ratios = [cell[key] and cell[key]["median"] for key in ("ratio_to_trl_default", "ratio_to_trl_best")]
        peak = cell["peak_bytes"] and round(cell["peak_bytes"] / 2**20)
        rows.append([
            name, *(cell[key] for key in ("step_seconds", "step_cpu_seconds", "tokens_per_second", "supervised_per_second")),
            *ratios, round(cell["positions_per_token"], 3), peak,
            f"{result['agreement']['loss_deviation'][name]['all_steps']:.1e}",
        ])  # fmt: skip
    print(f"\n{result['model']}, {result['precision']}\n\n{table(head, rows)}")
    for problem in result["agreement"]["problems"]:
        print(f"NOT THE SAME WORK: {problem}")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark. Returns 1 when a candidate failed or did other work than the rest, else 0."""
    options = arguments(argv)
    device = pick_device(options.device)
    child_environment(device, options.threads)
    with tempfile.TemporaryDirectory(prefix="speed-") as folder:
        material = prepare_material(
            Path(folder) / "material", models=options.models, tickets=options.tickets, seed=options.seed,
            max_length=options.max_length, spread=options.spread,
        )  # fmt: skip
        facts = material.facts()
        print(
            f"{facts['examples']} tickets, tokens {facts['tokens']}, supervised {facts['supervised_tokens']}", file=sys.stderr
        )
        settings = {k: str(v) if isinstance(v, Path) else v for k, v in vars(options).items() if k != "output"}
        report: dict[str, Any] = {"machine": machine(device), "settings": settings, "data": facts, "results": []}
        for model in options.models:
            for precision in options.precision:
                report["results"].append(compare(model, precision, device, material, options, Path(folder) / "scratch"))
                show(report["results"][-1])
                if options.output:
                    write_json(options.output, report)
    bad = [r for r in report["results"] if r["agreement"]["problems"] or any("failed" in c for c in r["candidates"].values())]
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
