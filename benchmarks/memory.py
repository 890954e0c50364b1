"""Peak memory per rank of the training step under each back end, beside what the formulas of ZeRO say.

python benchmarks/memory.py                                   # builtin:base at 1 and 2 processes
python benchmarks/memory.py --backends ddp zero3 --processes 2 --output memory.json
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gauges import MemoryMeter, child_environment, pick_device, table, write_json
from harness import Material, prepare_material

ROOT = Path(__file__).resolve().parents[1]
BACKENDS = ("ddp", "fsdp2", "zero1", "zero2", "zero3")
# What a back end splits between the ranks; the rest each rank holds whole.
SPLIT = {
    "ddp": set(), "zero1": {"optimizer"}, "zero2": {"optimizer", "gradients"},
    "zero3": {"optimizer", "gradients", "weights"}, "fsdp2": {"optimizer", "gradients", "weights"},
}  # fmt: skip
STOPPED = -1
# fp32 training: 4 bytes of weight, 4 of gradient, AdamW's two moments.
BYTES = {"weights": 4, "gradients": 4, "optimizer": 8}


def arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="builtin:base")
    parser.add_argument("--backends", nargs="+", default=list(BACKENDS), choices=BACKENDS)
    parser.add_argument("--processes", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--device", default="auto", choices=["auto", "cpu", "cuda"])
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument(
        "--batch_per_process", type=int, default=16, help="examples per step and process: the work of a rank stays"
    )
    parser.add_argument("--max_tokens", type=int, default=1024, help="tokens per micro-batch")
    parser.add_argument("--batching", default="auto", choices=["auto", "packed", "padded"])
    parser.add_argument("--tickets", type=int, default=600, help="generated tickets")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--timeout", type=float, default=900.0, help="seconds for one launch")
    parser.add_argument("--output", type=Path, help="JSON file")
    return parser.parse_args(argv)


def count_parameters(model: str) -> int:
    """Parameters of a built-in model, tied ones once, without memory for them."""
    import torch
    from transformers import LlamaForCausalLM

    from rca_dist.model import builtin

    with torch.device("meta"):
        network = LlamaForCausalLM(builtin.model_config(builtin.SIZES[model.removeprefix("builtin:")]))
    return sum(p.numel() for p in network.parameters())


def theory(backend: str, processes: int, parameters: int) -> dict[str, int]:
    """Bytes per rank of weights, gradients and AdamW state in fp32 (ZeRO, Rajbhandari et al. 2020, section 3)."""
    split = SPLIT[backend]
    return {part: size * parameters // (processes if part in split else 1) for part, size in BYTES.items()}


def worker(spec: dict[str, Any]) -> None:
    """One rank of a measured run. Rank 0 writes what all ranks found to `spec["output"]`."""
    from rca_dist.runtime.distributed import Distributed

    distributed = Distributed(precision="fp32")
    if distributed.backend.startswith("zero"):
        import deepspeed  # noqa: F401 - its import belongs to the base line
    import transformers.models.llama.modeling_llama  # noqa: F401

    meter = MemoryMeter(distributed.device.type)
    meter.start()
    trainer = Material(Path(spec["material"])).trainer(
        spec["model"], distributed, batching=spec["batching"], max_steps=spec["steps"], max_tokens=spec["max_tokens"],
        global_batch_size=spec["batch_per_process"] * distributed.world_size, seed=spec["seed"],
    )  # fmt: skip
    found = {"setup_peak": meter.peak()}
    meter.forget_peak()
    trainer.fit()
    found |= {"step_peak": meter.peak(), "idle": meter.now()}
    ranks = distributed.gather(found)
    if distributed.is_main:
        facts = {
            "backend": distributed.backend, "world_size": distributed.world_size, "parameters": spec["parameters"],
            "ranks": ranks, "loss": trainer.row["train/loss"], "packed": trainer.packed,
        }  # fmt: skip
        write_json(Path(spec["output"]), facts)
    distributed.close()


def launch(backend: str, processes: int, spec: dict[str, Any], folder: Path, timeout: float) -> dict[str, Any]:
    """One `accelerate launch` of this file as worker. Returns what rank 0 wrote, or {"failed": why}."""
    single = "cpu" if spec["device"] == "cpu" else "single_gpu"
    config = ROOT / "configs" / "accelerate" / f"{single if (backend, processes) == ('ddp', 1) else backend}.yaml"
    if not config.is_file():
        return {"failed": f"no {config.relative_to(ROOT)}"}
    output = folder / f"{backend}-{processes}.json"
    spec_file = folder / f"{backend}-{processes}.spec.json"
    write_json(spec_file, spec | {"output": str(output)})
    command = [
        sys.executable, "-m", "accelerate.commands.launch", "--config_file", str(config), "--num_processes", str(processes),
        str(Path(__file__).resolve()), "--worker", str(spec_file),
    ]  # fmt: skip
    # The configs name DeepSpeed's files relative to the repository.
    log = folder / f"{backend}-{processes}.log"
    with log.open("wb") as stream:
        child = subprocess.Popen(command, cwd=ROOT, stdout=stream, stderr=stream, start_new_session=True)
        try:
            code = child.wait(timeout)
        except subprocess.TimeoutExpired:
            code = STOPPED
        finally:
            _end(child)
    if code == 0 and output.is_file():
        return dict(json.loads(output.read_text(encoding="utf-8")))
    text = log.read_text(encoding="utf-8", errors="replace")
    print(text[-3000:], file=sys.stderr)
    # The launcher's own errors only say that a worker had one.
    said = [
        line for line in text.splitlines() if "Error" in line and "ChildFailedError" not in line and "CalledProcess" not in line
    ]
    lines = said or text.splitlines()[-1:]
    return {
        "failed": f"silent for {timeout:.0f} s"
        if code == STOPPED
        else f"exit code {code}: {lines[-1].strip() if lines else ''}"
    }


def _end(child: subprocess.Popen[bytes]) -> None:
    """End a launcher that still runs. It must do it itself: its workers have sessions of their own and would outlive it."""
    if child.poll() is None:
        child.terminate()
        try:
            child.wait(60)
        except subprocess.TimeoutExpired:
            child.kill()


def judge(backend: str, processes: int, found: dict[str, Any], activations: int | None) -> dict[str, Any]:
    """The measured numbers of the fullest rank beside the formula's."""
    if "failed" in found or "skipped" in found:
        return {"backend": backend, "processes": processes, **found}
    parts = theory(backend, processes, found["parameters"])
    states = sum(parts.values())
    peaks = [rank["step_peak"] for rank in found["ranks"]]
    peak = None if None in peaks else max(peaks)
    cell = {"backend": backend, "processes": processes, "theory": parts, "theory_states": states, "peak_bytes": peak}
    cell |= {key: found["ranks"][0][key] for key in ("setup_peak", "idle")} | {"ranks": found["ranks"], "loss": found["loss"]}
    if peak is not None and activations is not None:
        cell |= {"predicted": states + activations, "above_prediction": peak - states - activations}
    return cell


def measured_activations(found: dict[str, Any]) -> int | None:
    """What one process without any back end holds beyond weights, gradients and optimizer state at its peak."""
    if "failed" in found or found["ranks"][0]["step_peak"] is None:
        return None
    return int(found["ranks"][0]["step_peak"] - sum(theory("ddp", 1, found["parameters"]).values()))


def show(report: dict[str, Any]) -> None:
    """Print the report as a table of MiB per rank."""
    head = [
        "back end",
        "ranks",
        "weights",
        "gradients",
        "optimizer",
        "+ activations",
        "= predicted",
        "measured",
        "above",
        "setup",
        "idle",
    ]
    rows: list[list[Any]] = []
    for cell in report["cells"]:
        if "failed" in cell or "skipped" in cell:
            name = f"{cell['backend']}: {cell.get('skipped') or 'failed: ' + cell['failed']}"
            rows.append([name, cell["processes"], *[None] * (len(head) - 2)])
            continue
        sizes = [*cell["theory"].values(), report["activations"], cell.get("predicted"), cell["peak_bytes"]]
        sizes += [cell.get("above_prediction"), cell["setup_peak"], cell["idle"]]
        rows.append([cell["backend"], cell["processes"], *(size if size is None else round(size / 2**20) for size in sizes)])
    print(f"\n{report['settings']['model']}: {report['parameters']} parameters, fp32, MiB per rank\n\n{table(head, rows)}")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark. Returns 1 when a launch failed, else 0."""
    options = arguments(argv)
    # Asked to stop, it ends its launcher before itself.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    device = pick_device(options.device)
    child_environment(device, 1 if device == "cpu" else None)
    # glibc keeps freed blocks of up to 32 MiB for later; returned at once, resident memory follows the tensors.
    os.environ.setdefault("MALLOC_MMAP_THRESHOLD_", str(1 << 17))
    os.environ.setdefault("MALLOC_ARENA_MAX", "1")
    names = ("model", "steps", "batch_per_process", "max_tokens", "batching", "seed")
    spec: dict[str, Any] = {name: getattr(options, name) for name in names} | {"device": device}
    with tempfile.TemporaryDirectory(prefix="memory-") as name:
        folder = Path(name)
        material = prepare_material(
            folder / "material", models=[options.model], tickets=options.tickets, seed=options.seed, max_length=1024, spread=0.0
        )
        spec |= {"material": str(material.folder), "parameters": count_parameters(options.model)}
        plain = launch("ddp", 1, spec, folder, options.timeout)
        report: dict[str, Any] = {
            "settings": {key: spec[key] for key in (*names, "device")}, "data": material.facts(),
            "parameters": spec["parameters"], "activations": measured_activations(plain), "cells": [],
        }  # fmt: skip
        for processes in options.processes:
            for backend in options.backends:
                found = plain if (backend, processes) == ("ddp", 1) else _cell(backend, processes, spec, folder, options)
                report["cells"].append(judge(backend, processes, found, report["activations"]))
                print(f"  {backend} at {processes} done", file=sys.stderr, flush=True)
                if options.output:
                    write_json(options.output, report)
    show(report)
    return 1 if any("failed" in cell for cell in report["cells"]) else 0


def _cell(backend: str, processes: int, spec: dict[str, Any], folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    import torch

    if spec["device"] == "cuda" and processes > torch.cuda.device_count():
        return {"skipped": f"needs {processes} GPUs, there are {torch.cuda.device_count()}"}
    return launch(backend, processes, spec, folder, options.timeout)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--worker"]:
        from rca_dist import entry

        worker(json.loads(Path(sys.argv[2]).read_text(encoding="utf-8")))
        entry.leave(0)
    else:
        sys.exit(main())
