"""The page a manager reads: `write_report(run_dir)` turns a run directory into one self-contained HTML file."""

from pathlib import Path


def write_report(run_dir: Path) -> Path:
    """Write `report.html` into `run_dir` from whatever files are there, and return its path (see `report.html`)."""
    from rca_dist.report.html import write_report as write

    return write(run_dir)


__all__ = ["write_report"]
