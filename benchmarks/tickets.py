"""Cost of preparing tickets against their number: seconds and peak memory of each stage, and how fast they grow."""

import argparse
import json
import math
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from gauges import child_environment, machine, status_bytes, table, write_json

STAGES = ("read", "map", "clean", "select", "redact", "groups", "split", "languages", "warnings")
MILLION = 1_000_000


class Clock:
    """Processor seconds of each stage, and the peak of resident memory up to its end (bytes, None without /proc)."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.wall: dict[str, float] = {}
        self.peak: dict[str, int | None] = {}

    def __call__(self, stage: str, work: Callable[[], Any]) -> Any:
        began, wall = time.process_time(), time.perf_counter()
        result = work()
        self.seconds[stage] = time.process_time() - began
        self.wall[stage] = time.perf_counter() - wall
        self.peak[stage] = status_bytes("VmHWM")
        return result


def measure(path: Path) -> dict[str, Any]:
    """Run every stage once over an export, in this process and one after the other."""
    from rca_dist.tickets.clean import Cleaner
    from rca_dist.tickets.columns import map_columns
    from rca_dist.tickets.dates import parse_dates
    from rca_dist.tickets.groups import near_duplicate_groups
    from rca_dist.tickets.language import detect_language
    from rca_dist.tickets.read import read_table
    from rca_dist.tickets.redact import Redactor
    from rca_dist.tickets.selection import select_rows
    from rca_dist.tickets.split import make_split
    from rca_dist.tickets.splitting.findings import find_warnings

    clock = Clock()
    raw = clock("read", lambda: read_table(str(path)))
    mapped = clock("map", lambda: map_columns(raw.columns, {}, (), split_needed=False))
    cleaner, redactor = Cleaner(), Redactor()

    def clean() -> tuple[list[str], list[str]]:
        parts = [cleaner.column(raw.columns[column]) for column in mapped.prompt]
        return ["\n".join(cells) for cells in zip(*parts, strict=True)], cleaner.column(raw.columns[mapped.answer])

    prompts, answers = clock("clean", clean)
    ids = raw.columns[mapped.id]
    dates = parse_dates(raw.columns[mapped.created_at]).values
    rows = clock(
        "select", lambda: select_rows(prompts, answers, ids, list(zip(*raw.columns.values(), strict=True)), dates).rows
    )
    raw.columns.clear()
    ids, dates = [ids[row] for row in rows], [dates[row] for row in rows]

    def redact() -> list[list[str]]:
        return [redactor.redact_ticket([prompts[row], answers[row]]) for row in rows]

    prompts, answers = map(list, zip(*clock("redact", redact), strict=True))
    groups = clock("groups", lambda: near_duplicate_groups(ids, [prompts, answers]))
    split = clock("split", lambda: make_split(ids, groups.labels))
    languages = clock("languages", lambda: [detect_language(prompt) for prompt in prompts])
    frame = {"id": ids, "prompt": prompts, "answer": answers, "created_at": dates, "language": languages}
    clock("warnings", lambda: find_warnings(frame, split))
    return {
        "kept": len(ids), "groups": len(groups.sizes()), "largest_group": max(groups.sizes()),
        "capped_buckets": groups.capped_buckets, "cpu_seconds": clock.seconds, "wall_seconds": clock.wall,
        "peak_bytes": clock.peak,
    }  # fmt: skip


def exponents(results: Sequence[dict[str, Any]]) -> dict[str, float | None]:
    """Growth from the second-largest to the largest number of rows: 1 is linear, 2 quadratic; None with one number."""
    if len(results) < 2:
        return dict.fromkeys([*STAGES, "all"])
    small, large = results[-2], results[-1]
    ratio = math.log(large["rows"] / small["rows"])
    return {
        stage: math.log(max(_cpu(large, stage), 1e-9) / max(_cpu(small, stage), 1e-9)) / ratio for stage in [*STAGES, "all"]
    }


def _cpu(result: dict[str, Any], stage: str) -> float:
    return sum(result["cpu_seconds"].values()) if stage == "all" else result["cpu_seconds"][stage]


def show(results: Sequence[dict[str, Any]]) -> None:
    """Print the Markdown table."""
    growth = exponents(results)
    head = ["CPU seconds", *(f"{result['rows']:,}" for result in results), "exponent", "peak MiB at the largest"]
    rows: list[list[Any]] = []
    for stage in [*STAGES, "all"]:
        peaks = results[-1]["peak_bytes"]
        peak = max((p for p in peaks.values() if p), default=None) if stage == "all" else peaks[stage]
        rows.append([stage, *(_cpu(result, stage) for result in results), growth[stage], peak and round(peak / 2**20)])
    print(table(head, rows))


def arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=[1_000, 10_000, 100_000], help="sizes of the generated exports")
    parser.add_argument("--million", action="store_true", help="measure 1,000,000 rows as well (some 20 minutes)")
    parser.add_argument("--clean", action="store_true", help="generate without the defects of real exports")
    parser.add_argument("--file", type=Path, help="measure this export instead of generated ones")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--output", type=Path, help="write every number to this JSON file")
    parser.add_argument("--worker", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args(argv)


def run_one(path: Path, rows: int) -> dict[str, Any]:
    """Measure in a process of its own, so that no size sees what another has left in memory."""
    done = subprocess.run([sys.executable, __file__, "--worker", str(path)], stdout=subprocess.PIPE, text=True, check=True)
    return {"rows": rows, **json.loads(done.stdout.splitlines()[-1])}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark; 0 when all sizes were measured."""
    options = arguments(argv)
    if options.worker:
        print(json.dumps(measure(options.worker)))
        return 0
    child_environment("cpu", 1)
    sizes = sorted({*options.rows, *([MILLION] if options.million else [])})
    report: dict[str, Any] = {
        "machine": machine("cpu"),
        "settings": {"seed": options.seed, "clean": options.clean},
        "results": [],
    }
    with tempfile.TemporaryDirectory(prefix="tickets-") as folder:
        for rows in [0] if options.file else sizes:
            path = options.file or Path(folder) / f"{rows}.csv"
            if not options.file:
                command = ["data", "--generate", str(rows), "--seed", str(options.seed), "--output", str(path)]
                flags = [] if options.clean else ["--dirty"]
                subprocess.run([sys.executable, "-m", "rca_dist.cli", *command, *flags], check=True, stdout=sys.stderr)
            report["results"].append(run_one(path, rows))
            if options.output:
                write_json(options.output, report)
            if not options.file:
                path.unlink()
    show(report["results"])
    return 0


if __name__ == "__main__":
    sys.exit(main())
