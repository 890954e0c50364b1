"""What ranks do for the tests of checkpoints: states copied, moved to another number of processes, and disks that fill up."""

import hashlib
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import job


def start(argument):
    """(options, dist, trainer, store) of a fresh job."""
    from rca_dist.runtime.distributed import Distributed

    options = job.DEFAULTS | argument
    dist = Distributed(precision="fp32", timeout_seconds=options["timeout"])
    trainer, _, store = job.build(options, dist, lambda: False)
    return options, dist, trainer, store


def state_hash(captured):
    """sha256 over everything that this rank would write, whatever the files' layout."""
    import torch

    digest = hashlib.sha256()

    def walk(value):
        if isinstance(value, torch.Tensor):
            local = value.to_local() if hasattr(value, "to_local") else value
            digest.update(local.detach().cpu().contiguous().numpy().tobytes())
        elif isinstance(value, dict):
            for key in value:
                digest.update(str(key).encode())
                walk(value[key])
        elif isinstance(value, list | tuple):
            for item in value:
                walk(item)

    walk(captured.state)
    return digest.hexdigest()


def moments(engine):
    """[sum, sum of squares] of both moments of every trainable parameter, whole. Collective."""
    engine.settle()
    out = []
    if engine.dist.backend in ("zero1", "zero2"):
        # Otherwise done by the first step.
        engine.optimizer._lazy_init_hp_params_optimizer_state()
    for name, p in ((name, p) for name, p in engine.model.named_parameters() if p.requires_grad):
        for kind in ("exp_avg", "exp_avg_sq"):
            if engine.dist.backend.startswith("zero"):
                from deepspeed.utils import safe_get_full_optimizer_state

                whole = safe_get_full_optimizer_state(p, kind)
            else:
                whole = engine.optimizer.state[p][kind]
                whole = whole.full_tensor() if hasattr(whole, "full_tensor") else whole
            out.append([name, float(whole.double().sum()), float(whole.double().square().sum())])
    return out


def copies(argument):
    """A copy of the state, written only after two more steps, against the state written at once, and what each gives back."""
    import torch

    options, dist, trainer, store = start(argument)
    trainer.settle_batching()
    trainer.model.train()
    steps = list(trainer.plan.steps(0, 6))

    def advance(count):
        for _ in range(count):
            trainer.train_step(steps[trainer.step])
            trainer.step += 1

    advance(3)
    engine, folder = trainer.engine, Path(options["folder"])
    store.background = False
    store.save(3, engine, {"epoch": 0.1})
    out = {"rank": dist.rank, "at_once": state_hash(engine.capture())}
    behind = type(store)(folder / "behind", dist, background=True)
    behind.save(3, engine, {"epoch": 0.1})
    late = engine.capture().copied()
    advance(2)
    out["late"], out["moved"] = state_hash(late), state_hash(engine.capture())
    if dist.is_main:
        (folder / "late" / "step-000003").mkdir(parents=True)
    dist.barrier()
    names = late.to(folder / "late" / "step-000003")
    parts = dist.gather(names)
    behind.finish()
    out["names"] = sorted(name for part in parts for name in part)
    out["listed"] = sorted(behind.newest_valid()[1]["files"])
    out["on_disk"] = sorted(
        str(p.relative_to(behind.folder / "step-000003")) for p in behind.folder.rglob("step-000003/**/*") if p.is_file()
    )
    dist.barrier()
    for where in (store.folder, behind.folder, folder / "late"):
        again = job.build(options, dist, lambda: False)[0].engine
        again.load(where / "step-000003")
        out[f"from {where.name}"] = state_hash(again.capture())
    out["rng"] = [
        torch.load(s.folder / "step-000003" / f"rng-{dist.rank}.pt", weights_only=True)["python"][1][:5]
        for s in (store, behind)
    ]
    dist.close()
    return out


def told(argument):
    """The moments in the newest checkpoint as this number of processes reads them, and the first random number of each rank."""
    import torch

    _, dist, trainer, store = start(argument)
    path, manifest = store.newest_valid()
    store.load(path, trainer.engine)
    out = {"moments": moments(trainer.engine), "step": manifest["step"], "random": float(torch.rand(1))}
    dist.close()
    return out


def limited(argument):
    """Train while the disk takes no file above `limit` bytes, on `rank` between steps `since` and `until`."""
    import resource

    from rca_dist.errors import UserError
    from rca_dist.runtime.tracking import JsonlTracker

    options, dist, trainer, store = start(argument)
    folder, where = Path(options["folder"]), options["limited"]
    if dist.is_main:
        folder.mkdir(parents=True, exist_ok=True)
        trainer.log_row = JsonlTracker(folder / "metrics.jsonl").log

    def limit(run):
        if run.step in (where["since"], where["until"]):
            # What is still being written belongs to the time before.
            store.finish()
        if dist.rank in where["ranks"] and run.step in (where["since"], where["until"]):
            soft = where["limit"] if run.step == where["since"] else resource.RLIM_INFINITY
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, resource.RLIM_INFINITY))

    trainer.add_callback("on_step_end", limit)
    out = {"error": None, "weights": None}
    try:
        trainer.fit()
    except UserError as error:
        out["error"] = str(error)
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    out["step"] = trainer.step
    if out["error"] is None:
        out["weights"] = job.fingerprint(trainer.engine)
    found = store.newest_valid()
    out["newest"] = found[1]["step"] if found else None
    out["there"] = sorted(path.name for path in store.folder.iterdir())
    dist.close()
    return out
