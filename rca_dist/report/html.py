"""Builds `report.html`: one self-contained page from a run directory, no network, no scripts, all text escaped."""

import os
import shlex
from pathlib import Path
from typing import Any

from rca_dist.errors import UserError
from rca_dist.report import facts, plots, tables
from rca_dist.report.reading import RunFiles, Ticket, as_dict, choose_tickets, order_systems, read_run

_WIDE, _NARROW = 800, 330
_TEXT_LIMIT = 1500
_GOOD = "The fine-tuned model beats"


def write_report(run_dir: Path) -> Path:
    """Write `run_dir/report.html` from what is there and return its path; an older one is replaced at once.

    Raises UserError where `run_dir` is no directory or the page cannot be written.
    """
    run_dir = Path(run_dir)
    page = render(run_dir).encode("utf-8", "replace")
    target, aside = run_dir / "report.html", run_dir / f".report.html.{os.getpid()}"
    try:
        aside.write_bytes(page)
        aside.replace(target)
    except OSError as error:
        aside.unlink(missing_ok=True)
        raise UserError(f"{target}: cannot be written ({error.strerror}); free the name or the space") from error
    return target


def render(run_dir: Path) -> str:
    """The page as text."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("rca_dist.report", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("page.html").render(**context(run_dir))


def context(run_dir: Path) -> dict[str, Any]:
    """Everything that the template shows."""
    files = read_run(run_dir)
    splits = {name: as_dict(split) for name, split in as_dict(files.results.get("splits")).items()}
    names = sorted(splits, key=lambda name: (name != "test", name))
    main = splits[names[0]] if names else {}
    metric = _primary(files, main)
    tickets = choose_tickets(files, metric, split=names[0] if names else None)
    if files.results and not splits:
        files.notes.append("results.json has no scores yet.")
    return {
        "title": _title(files),
        "status": str(files.run.get("status", "")),
        "verdict": _verdict(files, main),
        "good": str(main.get("verdict", "")).startswith(_GOOD),
        "notes": files.notes,
        "splits": [_split(name, splits[name], metric) for name in names],
        "data": facts.data_blocks(files.data),
        "warnings": facts.warnings(files.data),
        "curve": _curve(files),
        "tickets": [_ticket(t, metric) for t in tickets],
        "metric": tables.METRICS[metric].label,
        "cost": facts.cost(files.run),
        "provenance": facts.provenance(files.run),
        "command": _command(files),
        "config": files.config_text,
    }


def _primary(files: RunFiles, split: dict[str, Any]) -> str:
    chosen = split.get("primary_metric", as_dict(files.config.get("eval")).get("primary_metric"))
    return chosen if isinstance(chosen, str) and chosen in tables.METRICS else "chrf"


def _title(files: RunFiles) -> str:
    model = files.run.get("model") or as_dict(files.config.get("model")).get("name_or_path")
    data = files.data.get("file") or as_dict(files.config.get("data")).get("path")
    return " on ".join(facts.file_name(part) for part in (model, data) if part) or files.path.resolve().name


def _verdict(files: RunFiles, split: dict[str, Any]) -> str:
    if split.get("verdict"):
        return str(split["verdict"]).replace(" %", "\u00a0%")
    status = files.run.get("status")
    if status in ("running", "interrupted", "failed"):
        return f"No verdict yet: the run is {status} and has not been evaluated."
    return "No verdict: the run has no evaluated tickets."


def _split(name: str, split: dict[str, Any], metric: str) -> dict[str, Any]:
    shown = tables.METRICS[metric]
    systems = {key: as_dict(as_dict(cells).get(metric)) for key, cells in as_dict(split.get("systems")).items()}
    factor = 100.0 if shown.points else 1.0
    bars = []
    for key in order_systems(list(systems)):
        value, low, high = (tables.number(systems[key].get(part)) for part in ("value", "low", "high"))
        if value is not None:
            low, high = (factor * low, factor * high) if low is not None and high is not None else (None, None)
            bars.append(plots.Bar(key, factor * value, low, high, strong=key == "model"))
    label = f"{shown.label}, {'points of 100' if shown.points else 'lower is better'}"
    drawn = [plots.interval_plot(bars, width=w, label=label, title=f"{shown.label} of each system") for w in (_WIDE, _NARROW)]
    return {
        "name": name,
        "n": facts.plain(split.get("n")),
        "groups": facts.plain(split.get("groups")),
        "verdict": str(split.get("verdict", "")),
        "plot": drawn,
        "tables": [t for t in (tables.systems_table(split, part) for part in tables.TABLES) if t],
        "paired": [t for t in (tables.paired_table(split, part) for part in tables.TABLES) if t],
        "reasons": tables.reasons(split),
    }


def _curve(files: RunFiles) -> dict[str, Any]:
    """The learning curve, wide and narrow, with a caption; on resume a step's later line holds."""
    lines: dict[str, dict[float, float]] = {"train/loss": {}, "eval/loss": {}}
    lost = 0
    for line in files.metrics:
        step = tables.number(line.get("step"))
        for key, found in lines.items():
            if step is not None and line.get(key) is not None:
                value = tables.number(line[key])
                lost += value is None
                if value is not None:
                    found[step] = value
    series = [
        plots.Series("training", "rest", list(lines["train/loss"].items())),
        plots.Series("validation", "one", list(lines["eval/loss"].items()), marked=True),
    ]
    labels = {"x_label": "optimizer steps", "y_label": "loss (nats per token)", "title": "Loss against optimizer steps"}
    drawn = [plots.line_plot(series, width=w, height=h, **labels) for w, h in ((_WIDE, 320), (_NARROW, 260))]
    return {"plot": drawn if drawn[0] else [], "caption": _caption(lines["eval/loss"], lost)}


def _caption(validation: dict[float, float], lost: int) -> str:
    text = "Loss in nats per supervised token."
    if validation:
        best = min(validation, key=lambda step: (validation[step], step))
        text += f" Lowest validation loss {validation[best]:.3f} at step {best:,.0f}."
    return f"{text} {lost} values were not finite and are not drawn." if lost else text


def _ticket(ticket: Ticket, metric: str) -> dict[str, Any]:
    shown = tables.METRICS[metric]
    answers = [
        {"system": name, "text": _cut(text), "score": tables.show(scores[metric], shown) if metric in scores else ""}
        for name, text, scores in ticket.answers
    ]
    texts = {"prompt": _cut(ticket.prompt), "reference": _cut(ticket.reference)}
    return {"id": ticket.id, "choice": ticket.choice, "answers": answers, **texts}


def _cut(text: str) -> str:
    text = text.strip()
    if len(text) <= _TEXT_LIMIT:
        return text
    return f"{text[:_TEXT_LIMIT]} \u2026 [{len(text) - _TEXT_LIMIT:,} more characters in predictions.jsonl]"


def _command(files: RunFiles) -> str:
    """The command that repeats the run; an absolute path is shortened to what lies below the working directory."""
    if not files.config_text:
        return ""
    path = files.path if not files.path.is_absolute() else Path(*files.path.parts[-2:])
    return f"rca-dist train --config {shlex.quote(str(path / 'config.yaml'))}"
