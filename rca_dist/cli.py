"""`rca-dist COMMAND`: train, data, report, clean.

Commands here need no process group; `train` checks everything it can before it starts one.
"""

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path

from rca_dist import command_line, entry
from rca_dist.errors import UserError
from rca_dist.starting import train

USAGE = """usage: rca-dist COMMAND ...

  train   [--config_file ACCELERATE.yaml] [--num_processes N] [--section.key=value ...]
          train and evaluate; `rca-dist train --help` lists all settings; across machines launch/multi_node.sh
  data    FILE [--html[=FOLDER]] [--show-prompts] [--section.key=value ...]
          describe an export as training would see it; with --html also data.html and data.json, with plots and sample tickets;
          with --show-prompts three encoded examples, what is learnt marked +
  data    --generate N [--seed S] [--dirty] --output FILE.csv
          write N made-up tickets
  report  RUN        write RUN/report.html again from what the run left
  clean   [DIR]      empty the cache of prepared tickets (default runs/.cache)
  clean   --ticket ID | --text PATTERN [--runs DIR ...] [--cache DIR ...] [--yes]
          find a ticket, or a person's data, in caches and runs, list the models trained on it, and (--yes) remove it
  doctor  [--quick] [--json]   can this machine train, and what is to be mended?
  schema  [FILE]     write the JSON schema of the settings, for editors (default: print it)
"""


def main() -> int:
    """The `rca-dist` program."""
    return entry.run("rca-dist", _dispatch)


def _dispatch(argv: list[str]) -> int:
    commands: dict[str, Callable[[list[str]], int]] = {
        "train": train, "data": data, "report": report, "clean": clean, "doctor": doctor, "schema": schema,
    }  # fmt: skip
    if not argv or argv[0] in ("-h", "--help", "help"):
        print(USAGE, end="")
        return 0 if argv else 2
    if argv[0] == "--version":
        from rca_dist import __version__

        print(f"rca_dist {__version__}")
        return 0
    if argv[0] in ("data", "report", "clean", "schema") and {"-h", "--help"} & set(argv):
        print(USAGE, end="")
        return 0
    if argv[0] not in commands:
        import difflib

        close = difflib.get_close_matches(argv[0], commands, n=1)
        hint = f"did you mean {close[0]}?" if close else f"commands are {', '.join(commands)}"
        raise UserError(f"unknown command {argv[0]!r}; {hint}")
    return commands[argv[0]](argv[1:])


def data(argv: list[str]) -> int:
    """Describe an export, or write a generated one."""
    if any(token.partition("=")[0] == "--generate" for token in argv):
        return _generate(argv)
    shows = [token for token in argv if token.replace("_", "-") == "--show-prompts"]
    pages = [token for token in argv if token.partition("=")[0] == "--html"]
    argv = [token for token in argv if token not in (*shows, *pages)]
    arguments = [f"data.path={argv[0]}", *argv[1:]] if argv and not argv[0].startswith("-") and "=" not in argv[0] else argv
    command = command_line.parse(arguments)
    if not (arguments or shows):
        print(USAGE, end="")
        return 2
    from rca_dist import data_report

    config = command.config
    folder = Path(pages[-1].partition("=")[2] or ".") if pages else None
    table = data_report.table_for(config)
    print(data_report.main_page(config, table, folder=folder, arguments=arguments))
    if shows:
        from rca_dist import builders

        print(f"\n{builders.preview_prompts(config, table, colour=sys.stdout.isatty())}")
    return 0


def _generate(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="rca-dist data", exit_on_error=False)
    parser.add_argument("--generate", type=int, required=True, metavar="N")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--dirty", action="store_true", help="salt markup, personal data and junk")
    parser.add_argument("--output", required=True, metavar="FILE.csv")
    try:
        options = parser.parse_args(argv)
    except (argparse.ArgumentError, SystemExit) as error:
        raise UserError(f"data --generate: {error}; usage: rca-dist data --generate N --seed S --output FILE.csv") from error
    if options.generate < 1:
        raise UserError(f"data --generate {options.generate}: give a number of tickets from 1")
    _refuse_existing("data --generate", Path(options.output))
    from rca_dist.tickets.synthetic import generate, write_csv

    write_csv(Path(options.output), generate(options.generate, options.seed, dirty=options.dirty))
    print(f"{options.generate} tickets written to {options.output}")
    return 0


def _refuse_existing(command: str, path: Path) -> None:
    if path.exists():
        raise UserError(f"{command}: {path} exists already; give another name or remove it")


def report(argv: list[str]) -> int:
    """Write a run's report again."""
    if len(argv) != 1 or argv[0].startswith("-"):
        raise UserError("report: give one run directory, e.g. rca-dist report runs/my-run")
    folder = Path(argv[0])
    if not (folder / "run.json").is_file():
        raise UserError(f"report {folder}: no run.json there, so it is no run directory")
    from rca_dist.report.html import write_report

    print(write_report(folder))
    return 0


def clean(argv: list[str]) -> int:
    """Empty a cache of prepared tickets and tokens, or take one ticket or text out of caches and runs."""
    if any(token.partition("=")[0] in ("--ticket", "--text") for token in argv):
        from rca_dist.purge import purge

        print(purge(argv))
        return 0
    if len(argv) > 1 or (argv and argv[0].startswith("-")):
        raise UserError(
            "clean: give at most one cache directory, e.g. rca-dist clean runs/.cache, or --ticket ID or --text PATTERN"
        )
    from rca_dist.runtime.files import empty_cache

    folder = Path(argv[0]) if argv else Path("runs") / ".cache"
    if not folder.is_dir():
        raise UserError(f"clean {folder}: no such directory; give the cache beside your runs (RUNS/.cache) or data.cache_dir")
    removed, size = empty_cache(folder)
    print(f"removed {removed} cached items ({size / 2**20:.1f} MiB) from {folder}")
    return 0


def doctor(argv: list[str]) -> int:
    """Look this machine over."""
    from rca_dist.runtime.doctor import doctor

    return doctor(argv)


def schema(argv: list[str]) -> int:
    """The JSON schema of the settings, from which editors complete YAML files."""
    if len(argv) > 1 or (argv and argv[0].startswith("-")):
        raise UserError("schema: give at most one file, e.g. rca-dist schema configs/schema.json")
    from rca_dist.config import json_schema

    if not argv:
        print(json_schema(), end="")
        return 0
    path = Path(argv[0])
    if not _is_schema(path):
        _refuse_existing("schema", path)
    try:
        path.write_text(json_schema(), encoding="utf-8")
    except OSError as error:
        raise UserError(f"schema {path}: cannot be written ({error})") from error
    return 0


def _is_schema(path: Path) -> bool:
    """Whether an earlier `rca-dist schema` wrote this file."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(found, dict) and found.get("title") == "rca_dist settings"


if __name__ == "__main__":
    sys.exit(main())
