"""Errors that end a command, and the exit codes they stand for.

Raise `UserError` on every rank alike: decisions that only one rank can take go through
`runtime.distributed.Distributed.on_main`, which hands the error to all of them. A rank that fails
alone must fail with an ordinary exception, so that the launcher takes the others down.
"""

EXIT_OK = 0
EXIT_FAILED = 1
EXIT_USER = 2
EXIT_PARTIAL = 3
EXIT_STOPPED = 75
# Of a worker; `rca-dist train` starts the job again with a smaller budget, and ends 1 when that was no help.
EXIT_MEMORY = 76


class UserError(ValueError):
    """The user's input or configuration is wrong; `str(error)` says what, where and what to do."""


class Stopped(Exception):
    """The run was asked to stop and has saved its state; starting it again goes on from there."""


class OutOfMemory(RuntimeError):
    """Memory ran out on this rank where ranks cannot repeat the work together, so the job must start again.

    `again`: environment variables (a smaller budget) with which another start may fit; None when none can.
    """

    def __init__(self, text: str, again: dict[str, str] | None = None) -> None:
        super().__init__(text)
        self.again = again
