"""Runs the tests of faults and writes their table into docs/reliability.md:

    python tests/resume/write_fault_table.py                 # the default tier
    python tests/resume/write_fault_table.py --all           # the slow tests too
    python tests/resume/write_fault_table.py [--all] --records FILE   # from what a run has noted in RCA_FAULT_RECORDS=FILE

Nothing is written if a test fails.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parent))

from fault_rows import VARIABLE, table

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
PAGE = ROOT / "docs" / "reliability.md"
BEGIN = "<!-- begin: written by tests/resume/write_fault_table.py -->"
END = "<!-- end: written by tests/resume/write_fault_table.py -->"
PACKAGES = ("torch", "transformers", "accelerate", "deepspeed", "peft")


def run_tests(records, everything):
    """Run the suite with its notes going to a file; returns pytest's exit code."""
    tier = [] if everything else ["-m", "not slow and not slurm"]
    # The check of the page itself would stop the script that mends it.
    command = [sys.executable, "-m", "pytest", str(HERE), "--ignore", str(HERE / "test_fault_table.py"), *tier]
    return subprocess.run(command, cwd=ROOT, env=os.environ | {VARIABLE: str(records)}).returncode


def section(notes, everything):
    """What stands between the two marks."""
    tests = len({note["test"] for note in notes})
    tier = "the whole suite" if everything else "the default tier (tests marked slow left out; `--all` takes them in)"
    versions = ", ".join(f"{package} {version(package)}" for package in PACKAGES)
    intro = f"""{BEGIN}
Written by `python tests/resume/write_fault_table.py`; do not edit. A test notes a row after its last check has held, so
what has not been seen has no row. From {tier}:
{tests} tests, {os.cpu_count()} CPU cores, {versions}.
The last column: back ends and numbers of processes. Where a row has several ways of injection, each was seen under all.
"""
    return "\n".join([intro, *table(notes), END])


def written(text, part):
    """The page with the marked part replaced."""
    pattern = re.escape(BEGIN) + ".*" + re.escape(END)
    assert len(re.findall(pattern, text, re.DOTALL)) == 1, f"the marks are not once in {PAGE}"
    return re.sub(pattern, lambda _: part, text, flags=re.DOTALL)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--all", action="store_true", help="the slow tests too")
    parser.add_argument("--records", type=Path, help="run nothing; read the notes of a run in which all tests passed")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        records = given.records or Path(folder) / "records.jsonl"
        if not given.records and (code := run_tests(records, given.all)):
            print(f"not written: the tests ended with {code}")
            return code
        notes = [json.loads(line) for line in records.read_text().splitlines()]
    PAGE.write_text(written(PAGE.read_text(), section(notes, given.all)))
    print(f"wrote {PAGE.name}: {len(table(notes)) - 2} rows of {len(notes)} notes")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
