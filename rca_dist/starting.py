"""`rca-dist train`: check everything that can be checked, then start the job under `accelerate launch`."""

import sys
from typing import TYPE_CHECKING, Any

from rca_dist import command_line
from rca_dist.errors import UserError

if TYPE_CHECKING:
    from rca_dist.runtime.launch import Request


def train(argv: list[str]) -> int:
    """Check config, launcher and input, then start the job under `accelerate launch`; returns the job's own exit code."""
    arguments, request = _launcher_arguments(argv)
    command = command_line.parse(arguments)
    if command.help:
        print(command_line.help_text("rca-dist train [--config_file ACCELERATE.yaml] [--num_processes N]"))
        return 0
    from rca_dist.runtime import launch

    if command.print_config and not command.needs_world_size:
        return _print_config(command)
    config, talks = command.config, not request.machine_rank
    settings = launch.check(
        request, precision=config.train.precision, max_grad_norm=config.train.max_grad_norm,
        learning_rate=config.train.learning_rate, lr_scheduler=config.train.lr_scheduler,
        global_batch_size=config.train.global_batch_size,
        gradient_checkpointing=None if config.train.gradient_checkpointing == "auto" else config.train.gradient_checkpointing,
    )  # fmt: skip
    if command.needs_world_size:
        command = command_line.parse(arguments, world_size=settings.world_size)
        config = command.config
    if command.print_config:
        return _print_config(command)
    if talks:
        command_line.say(command)
    from rca_dist import wiring
    from rca_dist.report.summary import print_outcome

    prepared = wiring.preflight(config)
    if not command.dry_run and prepared.is_done(config):
        if talks:
            print("this run is finished, nothing was computed; --run.overwrite repeats it", file=sys.stderr)
            print_outcome(prepared.run.path)
        return 0
    sizes = ", ".join(f"{side} {count}" for side, count in prepared.tickets.facts["split"]["sizes"].items())
    if talks:
        print(
            f"{prepared.tickets.facts['file']}: {len(prepared.tickets.frame)} usable tickets ({sizes}); starting "
            f"{launch.in_words(settings, request)}",
            file=sys.stderr,
        )
    del prepared
    return launch.launch(launch.TRAIN_SCRIPT, arguments, request=request, settings=settings)


def _print_config(command: command_line.Command) -> int:
    command_line.say(command)
    print(command.config.to_yaml(), end="")
    return 0


def _launcher_arguments(argv: list[str]) -> "tuple[list[str], Request]":
    """The job's own arguments, and those that are the launcher's."""
    from rca_dist.runtime.launch import Request

    numbers = ("num_processes", "num_machines", "machine_rank", "main_process_port")
    texts = ("config_file", "main_process_ip")
    given: dict[str, Any] = {}
    rest, own = list(argv), []
    while rest:
        token = rest.pop(0)
        name, equals, value = token.partition("=")
        key = name.removeprefix("--").replace("-", "_")
        if not name.startswith("--") or key not in numbers + texts:
            own.append(token)
            continue
        if not equals and not rest:
            raise UserError(f"{name}: a value is missing")
        given[key] = value if equals else rest.pop(0)
    for key in given.keys() & set(numbers):
        given[key] = _count(key, given[key], 0 if key == "machine_rank" else 1)
    return own, Request(**given)


def _count(key: str, text: str, least: int) -> int:
    if not text.isdigit() or int(text) < least:
        raise UserError(f"--{key}={text}: must be a whole number from {least}")
    return int(text)
