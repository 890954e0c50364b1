"""Train and evaluate: `accelerate launch rca_dist/train.py [--config FILE] [--section.key=value ...]`."""

import logging
import os
import sys
import time
from pathlib import Path

if __name__ == "__main__":
    # As a script, this folder would stand first on sys.path and its files shadow libraries.
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from rca_dist import command_line, entry

log = logging.getLogger(__name__)


def main(argv: list[str]) -> int:
    """The whole job: prepare, train, evaluate, write the run directory. Returns the exit code."""
    command = command_line.parse(argv)
    if command.help:
        print(command_line.help_text("train.py"))
        return 0
    config = command.config
    if entry.speaks():
        command_line.say(command)
    if command.print_config:
        print(config.to_yaml(), end="")
        return 0

    from rca_dist.runtime.preemption import StopRequest, stop_if_asked
    from rca_dist.runtime.supervise import RESTARTED

    if RESTARTED in os.environ:
        # What was to be removed is removed already; what is there now is this job's own.
        config.run.overwrite = False
        config.checkpoint.resume = "auto" if config.checkpoint.resume == "never" else config.checkpoint.resume

    # Importing the rest takes seconds, in which a signal must not be lost.
    StopRequest().install()
    from rca_dist import builders, wiring
    from rca_dist.runtime import faults, heartbeat
    from rca_dist.runtime.distributed import Distributed, be_deterministic, set_seed
    from rca_dist.session import Session

    began = time.perf_counter()
    if config.run.deterministic:
        be_deterministic()
    dist = Distributed(
        precision=config.train.precision, timeout_seconds=config.dist.timeout_seconds, max_grad_norm=config.train.max_grad_norm
    )
    heartbeat.start(dist, config.dist.timeout_seconds)
    prepared = dist.main_first(lambda: wiring.preflight(config))
    if not command.dry_run and dist.on_main(lambda: prepared.is_done(config)):
        return Session.already_finished(prepared.run, dist)
    session = Session(config, prepared, dist)
    set_seed(config.run.seed)
    adapter = builders.build_adapter(config, prepared.tickets, dist)
    datasets = builders.build_datasets(config, prepared.tickets, adapter, prepared.cache, dist)
    if command.dry_run:
        return session.dry_run(builders.build_trainer(config, adapter, datasets["train"], dist))
    with session.guarded():
        parts = session.open(adapter, datasets)
        trainer = builders.build_trainer(config, adapter, datasets["train"], dist, **parts)
        trainer.memory.limit_from_environment()
        session.resume(trainer, adapter)
        evaluator = builders.build_evaluator(config, prepared.tickets, adapter, datasets, trainer, session.stop_requested)
        trainer.evaluate = lambda: evaluator.loss("validation")
        faults.at("start", trainer.step)
        stop_if_asked(dist, session.stop_requested, "before the first step")
        trainer.fit()
        trainer.release()
        session.save_model(adapter)
        results = {str(split): evaluator.eval_split(split) for split in config.eval.splits}
        session.write_results(results, evaluator, wall_seconds=time.perf_counter() - began)
        heartbeat.stop()
    return 0


if __name__ == "__main__":
    entry.leave(entry.run("train.py", main))
