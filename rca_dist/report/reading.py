"""Reads a run directory: every file may be missing, cut or damaged, and what lacks becomes a note for the page."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rca_dist.errors import UserError

SYSTEM_ORDER = ("model", "base", "nearest", "nearest_k", "constant", "random", "copy", "oracle")


@dataclass
class RunFiles:
    """What a run directory holds; empty where a file is missing, with one note per thing that lacks."""

    path: Path
    run: dict[str, Any] = field(default_factory=dict)
    config: dict[str, Any] = field(default_factory=dict)
    config_text: str = ""
    data: dict[str, Any] = field(default_factory=dict)
    results: dict[str, Any] = field(default_factory=dict)
    metrics: list[dict[str, Any]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@dataclass
class Ticket:
    """One evaluated ticket: why it is shown, its texts, and `answers` as (system, text, scores) in table order."""

    id: str
    choice: str
    prompt: str = ""
    reference: str = ""
    answers: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)


def read_run(path: Path) -> RunFiles:
    """Read all files of `path` but the predictions; UserError where it is no directory."""
    if not path.is_dir():
        raise UserError(f"{path}: no such run directory; give the folder that holds run.json and results.json")
    files = RunFiles(path)
    files.run = _object(files, "run.json", "status, cost and versions")
    files.data = _object(files, "data.json", "what the data was")
    files.results = _object(files, "results.json", "scores and verdict")
    files.config_text = _text(files, "config.yaml", "the configuration") or ""
    files.config = _yaml(files)
    if (path / "metrics.jsonl").exists():
        files.metrics = list(_lines(files, "metrics.jsonl"))
    else:
        files.notes.append("metrics.jsonl is missing: no learning curve.")
    return files


def as_dict(value: Any) -> dict[str, Any]:
    """`value` if it is a mapping, else an empty one."""
    return value if isinstance(value, dict) else {}


def order_systems(names: Iterator[str] | list[str] | set[str]) -> list[str]:
    """System names, the known ones first and in the order of the tables."""
    return sorted(names, key=lambda n: (SYSTEM_ORDER.index(n) if n in SYSTEM_ORDER else len(SYSTEM_ORDER), n))


def choose_tickets(files: RunFiles, metric: str, *, split: str | None = None, count: int = 10) -> list[Ticket]:
    """Up to `count` tickets of `split`: best and worst by the model's `metric`, the rest drawn by a hash of the id.

    The same file always gives the same tickets. Reads predictions.jsonl twice instead of holding it.
    """
    if not (files.path / "predictions.jsonl").exists():
        files.notes.append("predictions.jsonl is missing: no example tickets.")
        return []
    scores, split = _scores(files, metric, split)
    by_hash = sorted(scores, key=lambda i: hashlib.sha256(i.encode("utf-8", "replace")).hexdigest())
    ranked = sorted((i for i in by_hash if scores[i] is not None), key=lambda i: scores[i] or 0.0)
    third = min(count * 3 // 10, len(ranked) // 3)
    chosen = {i: Ticket(i, "best") for i in reversed(ranked[len(ranked) - third :])}
    chosen |= {i: Ticket(i, "worst") for i in ranked[:third]}
    for i in by_hash:
        if len(chosen) < count and i not in chosen:
            chosen[i] = Ticket(i, "random")
    _fill(files, chosen, split)
    return list(chosen.values())


def _scores(files: RunFiles, metric: str, split: str | None) -> tuple[dict[str, float | None], str | None]:
    """The model's score per ticket id (of the first system met where there is no model), and the split taken."""
    found: dict[tuple[str, str], dict[str, float | None]] = {}
    for line in _lines(files, "predictions.jsonl"):
        if "id" in line and isinstance(line.get("system"), str):
            value = as_dict(line.get("scores")).get(metric)
            score = float(value) if isinstance(value, int | float) and value == value else None
            found.setdefault((str(line.get("split", "")), line["system"]), {})[str(line["id"])] = score
    if not found:
        return {}, split
    splits = [s for s, _ in found]
    taken = next((s for s in (split, "test") if s in splits), splits[0])
    systems = [system for s, system in found if s == taken]
    return found[taken, "model" if "model" in systems else systems[0]], taken


def _fill(files: RunFiles, chosen: dict[str, Ticket], split: str | None) -> None:
    answers: dict[str, dict[str, tuple[str, dict[str, Any]]]] = {i: {} for i in chosen}
    for line in _lines(files, "predictions.jsonl", note=False):
        ticket = chosen.get(str(line.get("id")))
        if ticket is None or str(line.get("split", "")) != split or not isinstance(line.get("system"), str):
            continue
        ticket.prompt = str(line.get("prompt") or ticket.prompt)
        ticket.reference = str(line.get("reference") or ticket.reference)
        answers[ticket.id][line["system"]] = str(line.get("prediction") or ""), as_dict(line.get("scores"))
    for i, ticket in chosen.items():
        ticket.answers = [(name, *answers[i][name]) for name in order_systems(set(answers[i]))]


def _text(files: RunFiles, name: str, what: str) -> str | None:
    try:
        return (files.path / name).read_bytes().decode("utf-8", "replace")
    except FileNotFoundError:
        files.notes.append(f"{name} is missing: {what} cannot be shown.")
    except OSError as error:
        files.notes.append(f"{name} cannot be read ({error.strerror}): {what} cannot be shown.")
    return None


def _object(files: RunFiles, name: str, what: str) -> dict[str, Any]:
    text = _text(files, name, what)
    if text is None:
        return {}
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        files.notes.append(f"{name} is damaged or cut (not valid JSON): {what} cannot be shown.")
        return {}
    if not isinstance(value, dict):
        files.notes.append(f"{name} holds no object: {what} cannot be shown.")
    return as_dict(value)


def _yaml(files: RunFiles) -> dict[str, Any]:
    import yaml

    try:
        return as_dict(yaml.safe_load(files.config_text))
    except (yaml.YAMLError, RecursionError, ValueError):
        files.notes.append("config.yaml is damaged or cut (not valid YAML): shown as it is, not used.")
        return {}


def _lines(files: RunFiles, name: str, *, note: bool = True) -> Iterator[dict[str, Any]]:
    """The objects of a .jsonl file; lines that cannot be read are skipped and counted in a note."""
    broken = total = 0
    try:
        with (files.path / name).open("rb") as stream:
            for raw in stream:
                total += 1
                try:
                    value = json.loads(raw.decode("utf-8", "replace"))
                except (ValueError, RecursionError):
                    value = None
                if isinstance(value, dict):
                    yield value
                else:
                    broken += 1
    except OSError as error:
        if note:
            files.notes.append(f"{name} cannot be read ({error.strerror}).")
    if note and broken:
        files.notes.append(f"{name}: {broken} of {total} lines could not be read and were left out.")
    if note and not total:
        files.notes.append(f"{name} is empty.")
