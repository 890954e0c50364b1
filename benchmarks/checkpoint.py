"""What a checkpoint and a resume cost, at once and in the background, side by side in one run.

python benchmarks/checkpoint.py --output checkpoint.json
accelerate launch --config_file configs/accelerate/fsdp2.yaml benchmarks/checkpoint.py
"""

import argparse
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

from gauges import child_environment, machine, pick_device, table, write_json  # noqa: E402
from harness import prepare_material  # noqa: E402

if TYPE_CHECKING:
    from rca_dist.runtime.checkpoint import Checkpoints
    from rca_dist.runtime.distributed import Distributed
    from rca_dist.training.trainer import Trainer

MODES = ("none", "at once", "background")


def arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="builtin:base")
    parser.add_argument("--device", default="auto", choices=["auto", "cpu", "cuda"])
    parser.add_argument("--rounds", type=int, default=5, help="each round measures every way of saving once")
    parser.add_argument("--steps", type=int, default=4, help="steps after each save, over which its cost is counted")
    parser.add_argument("--global_batch_size", type=int, default=16)
    parser.add_argument("--max_tokens", type=int, default=4096, help="tokens per micro-batch")
    parser.add_argument("--tickets", type=int, default=600, help="generated tickets")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--folder", type=Path, help="where checkpoints are written; default a temporary folder")
    parser.add_argument("--output", type=Path, help="JSON file")
    return parser.parse_args(argv)


class Bench:
    """A trainer and two stores; `measure` makes the same steps after saving in one of MODES, or not at all."""

    def __init__(self, trainer: "Trainer", stores: dict[str, "Checkpoints"], steps: int) -> None:
        self.trainer, self.stores, self.steps = trainer, stores, steps
        trainer.settle_batching()
        trainer.model.train()
        self.plan = trainer.plan.steps(0, 10**9)

    def advance(self) -> None:
        """One step, with the reduction that ends each step of a run, and a wait for the device."""
        loss, _ = self.trainer.train_step(next(self.plan))
        self.trainer.step += 1
        self.trainer.distributed.global_sum([0.0, 0.0])
        float(loss)
        self.trainer.watch.unread.clear()

    def measure(self, mode: str) -> dict[str, float]:
        """Seconds: `all` from the save to the end of the steps with the checkpoint published; `wait` in the call of save."""
        store, dist = self.stores.get(mode), self.trainer.distributed
        dist.barrier()
        began = time.perf_counter()
        if store is not None:
            store.save(self.trainer.step, self.trainer.engine, {"epoch": self.trainer.epoch})
        waited, written = time.perf_counter() - began, 0.0
        for _ in range(self.steps):
            self.advance()
            if store is not None and not written and dist.global_sum([float(store.written)])[0] == dist.world_size:
                store.publish()
                written = time.perf_counter() - began
        if store is not None:
            store.finish()
        return {"all": time.perf_counter() - began, "wait": waited}

    def resume(self) -> dict[str, float]:
        """Seconds to find and verify the newest checkpoint, and to load it."""
        store = self.stores["at once"]
        began = time.perf_counter()
        found = store.newest_valid()
        assert found is not None
        verified = time.perf_counter()
        store.load(found[0], self.trainer.engine)
        return {"verify": verified - began, "load": time.perf_counter() - verified}


def measure(options: argparse.Namespace, dist: "Distributed", folder: Path) -> dict[str, Any]:
    """All rounds. Collective."""
    from rca_dist.runtime.checkpoint import Checkpoints

    def material() -> Any:
        return prepare_material(
            folder / "material", models=[options.model], tickets=options.tickets, seed=options.seed, max_length=1024, spread=0.0
        )

    made = dist.on_main(material)
    trainer = made.trainer(
        options.model, dist, batching="auto", max_steps=10**6, global_batch_size=options.global_batch_size,
        max_tokens=options.max_tokens, seed=options.seed,
    )  # fmt: skip
    names = {"at once": False, "background": True}
    stores = {mode: Checkpoints(folder / mode, dist, keep_last=1, background=behind) for mode, behind in names.items()}
    bench = Bench(trainer, stores, options.steps)
    for mode in MODES:
        bench.measure(mode)  # buffers and the optimizer's state come to be
    found: dict[str, list[dict[str, float]]] = {mode: [] for mode in MODES}
    for turn in range(options.rounds):
        for n in range(len(MODES)):
            mode = MODES[(turn + n) % len(MODES)]
            found[mode].append(bench.measure(mode))
    resumes = [bench.resume() for _ in range(options.rounds)]
    newest = stores["at once"].complete()[-1]
    size = dist.on_main(lambda: sum(path.stat().st_size for path in newest.rglob("*") if path.is_file()))
    return {"rounds": found, "resumes": resumes, "bytes": size}


def summarise(found: dict[str, Any], steps: int) -> dict[str, Any]:
    """Medians. `cost` of a save: what the steps after it took more than those of the same round without one, in seconds."""
    rounds = found["rounds"]
    step = statistics.median(one["all"] for one in rounds["none"]) / steps
    out: dict[str, Any] = {"step": step, "bytes": found["bytes"]}
    for mode in MODES[1:]:
        costs = [one["all"] - plain["all"] for one, plain in zip(rounds[mode], rounds["none"], strict=True)]
        out[mode] = {"cost": statistics.median(costs), "wait": statistics.median(one["wait"] for one in rounds[mode]),
                     "lowest": min(costs), "highest": max(costs)}  # fmt: skip
    for part in ("verify", "load"):
        out[part] = statistics.median(one[part] for one in found["resumes"])
    return out


def show(summary: dict[str, Any]) -> None:
    """A table of seconds and shares of a step."""
    step = summary["step"]
    rows: list[list[Any]] = [
        [f"save {mode}", f"{summary[mode]['cost']:.2f}", f"{summary[mode]['cost'] / step:.0%}", f"{summary[mode]['wait']:.2f}",
         f"{summary[mode]['lowest']:.2f} to {summary[mode]['highest']:.2f}"] for mode in MODES[1:]
    ]  # fmt: skip
    resume = summary["verify"] + summary["load"]
    rows.append(
        [
            f"resume (verify {summary['verify']:.2f}, load {summary['load']:.2f})",
            f"{resume:.2f}",
            f"{resume / step:.0%}",
            None,
            None,
        ]
    )
    print(f"a step takes {step:.2f} s; a checkpoint has {summary['bytes'] / 2**20:.0f} MiB")
    print(table(["", "s", "of a step", "s in the call", "cost, lowest to highest"], rows))


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print, write."""
    options = arguments(argv)
    device = pick_device(options.device)
    child_environment(device, options.threads)
    import torch

    if options.threads:
        torch.set_num_threads(options.threads)
    from rca_dist.runtime.distributed import Distributed

    dist = Distributed(precision="fp32")
    folder = dist.on_main(lambda: Path(options.folder or tempfile.mkdtemp(prefix="checkpoint-bench-")))
    try:
        found = measure(options, dist, folder)
    finally:
        if dist.is_main and options.folder is None:
            shutil.rmtree(folder, ignore_errors=True)
    if dist.is_main:
        summary = summarise(found, options.steps)
        print(f"{options.model}, {dist.world_size} x {device}, {dist.backend}")
        show(summary)
        if options.output:
            facts = {"backend": dist.backend, "processes": dist.world_size, "model": options.model, "steps": options.steps}
            write_json(options.output, facts | {"machine": machine(device), "summary": summary, **found})
    dist.close()
    return 0


if __name__ == "__main__":
    from rca_dist import entry

    entry.leave(main())
