"""`rca-dist clean --ticket ID | --text PATTERN`: look everywhere, say what is there, remove it with --yes."""

import argparse
from dataclasses import dataclass, field
from pathlib import Path

from rca_dist.errors import UserError
from rca_dist.purge import caches, runs, wanted
from rca_dist.purge.caches import CacheHits
from rca_dist.purge.pages import PageHits, search_page
from rca_dist.purge.runs import RunHits
from rca_dist.purge.where import DEPTH, Where, where

_PLURALS = {"entry": "entries"}
_SHOWN = 20
USAGE = "rca-dist clean --ticket ID | --text PATTERN [--runs DIR] [--cache DIR] [--yes]"


@dataclass
class Found:
    """All that holds it, where it was looked for, and numbers like the one that was not found."""

    searched: Where = field(default_factory=Where)
    caches: list[CacheHits] = field(default_factory=list)
    runs: list[RunHits] = field(default_factory=list)
    pages: list[PageHits] = field(default_factory=list)
    unread: int = 0
    near: list[str] = field(default_factory=list)

    @property
    def places(self) -> int:
        """How many files and folders hold it that --yes changes or deletes."""
        return len(_cache_lines(self.caches)) + len(_file_lines(self))

    @property
    def removable(self) -> bool:
        """Whether there is something that --yes removes."""
        cached = any(hit.exports or any(table.holds for table in hit.tables) for hit in self.caches)
        return cached or bool(self.pages) or any(run.holds for run in self.runs)

    def __bool__(self) -> bool:
        return self.removable or any(run.others for run in self.runs)


def purge(argv: list[str]) -> str:
    """Run the command and return what it says. Without --yes nothing is changed. Raises UserError for wrong arguments."""
    options = _options(argv)
    looked_for = wanted.ticket(options.ticket) if options.ticket is not None else wanted.text(options.text)
    named = [Path(path).expanduser() for path in options.runs]
    for folder in named:
        if not folder.is_dir():
            raise UserError(f"clean: --runs={folder}: no such directory; give the folder that holds your run directories")
    found = search(looked_for, where(named, [Path(path).expanduser() for path in options.cache]))
    name = f"ticket {options.ticket}" if options.ticket is not None else "the given text"
    if options.yes:
        remove(found)
    return "\n".join(describe(found, name, done=options.yes, by_text=options.text is not None))


def search(looked_for: wanted.Wanted, places: Where) -> Found:
    """Look through caches, run directories, and the pages of `rca-dist data`."""
    hits = [caches.search_cache(place.absolute(), looked_for) for place in places.caches]
    tables = [table for place in hits for table in place.tables]
    searched = {fingerprint for place in hits for fingerprint in place.searched}
    known = [(table.fingerprint, table.file, table.trace) for table in tables if table.trace is not None]
    run_hits = [found for path in places.runs if (found := runs.search_run(path, looked_for, known, searched))]
    # Tokens of a table that is cached no more lie beside those of the others.
    in_a_run = any(hit.rows or hit.predictions for hit in run_hits)
    for hit in hits:
        if hit or in_a_run:
            hit.token_files = caches.token_files(hit.folder)
    trace = wanted.Trace(looked_for)
    for source in [*(other for _, _, other in known), *(hit.trace for hit in run_hits)]:
        trace.ids |= source.ids
        trace.texts += source.texts
    meant = {table.fingerprint for table in tables if table.fingerprint} | {hit.fingerprint for hit in run_hits if hit.rows}
    pages = [search_page(place, trace, meant) for place in places.pages]
    unread = sum(len(caches.token_files(hit.folder)) for hit in hits if not hit)
    result = Found(places, [hit for hit in hits if hit], run_hits, [page for page in pages if page], unread)
    if looked_for.ticket is not None and not result:
        ids = (identifier for folder in places.caches for identifier in caches.ids_in(folder))
        result.near = wanted.near_ids(looked_for.ticket, {*ids, *(one for run in places.runs for one in runs.ids_in(run))})
    return result


def remove(found: Found) -> None:
    """Remove it everywhere. Raises UserError where a file cannot be written; what was done until then stays done."""
    try:
        for run in found.runs:
            runs.remove(run)
        for page in found.pages:
            page.remove()
        for cache in found.caches:
            caches.remove(cache)
    except OSError as error:
        raise UserError(f"clean: {error.filename}: cannot be changed ({error.strerror}); mend it and clean again") from error


def describe(found: Found, name: str, *, done: bool, by_text: bool) -> list[str]:
    """What was found, as counts per file, and what remains to be done by hand."""
    lines: list[str] = []
    if not found:
        lines.append(f"{name}: found in no cache and no run directory of: {', '.join(_roots(found.searched))}")
        if found.near:
            lines.append(f"Did you mean {' or '.join(found.near)}?")
    elif not found.removable:
        lines.append(f"{name}: found only in files that this command leaves as they are")
    else:
        count = _number(found.places, "place")
        kept = f"{name}: found; nothing is changed yet, add --yes to remove it from {count}"
        lines.append(f"{name}: removed from {count}" if done else kept)
    lines += _titled("cached tables, deleted whole (they are made again from the export)", _cache_lines(found.caches))
    lines += _titled("run directories and pages", _file_lines(found))
    models = [str(path) for run in found.runs if run.trained for path in run.models]
    lines += _titled("models trained on it: a model cannot forget, so delete these folders or train again without it", models)
    earlier = [str(path) for run in found.runs if run.earlier and not run.trained for path in run.models]
    lines += _titled("models trained on tickets that were removed from the files earlier; they still remember them", earlier)
    others = [str(path) for run in found.runs for path in run.others]
    lines += _titled("also in these files, which are left as they are; look at them yourself", others)
    unknown = [str(run.path) for run in found.runs if run.unknown]
    lines += _titled("training texts not stored any more, so not searched; give --ticket ID to know about these runs", unknown)
    textless = [str(run.path) for run in found.runs if run.textless]
    lines += _titled(
        "the ticket's text is in no cache, so answers that recite it were not looked for there (`rca-dist data FILE` of the "
        "same export puts it into the cache; clean after that)", textless,
    )  # fmt: skip
    if found.unread:
        lines.append(f"{found.unread} token files hold no readable text and stay; `rca-dist clean` empties the whole cache")
    if by_text:
        lines.append(
            "Text is redacted before it is stored: placeholders such as <EMAIL> stand for addresses, phone numbers and the "
            "like, so a search for one finds nothing. Look for the ticket's number instead (--ticket ID)."
        )
    if found:
        lines += _titled(f"searched, run directories up to {DEPTH} levels deep", _roots(found.searched))
    lines.append(_not_searched(found.searched))
    lines.append("The export itself is not touched: take the ticket out of it, or the next run reads it again.")
    return lines


def _titled(title: str, lines: list[str]) -> list[str]:
    return [f"{title}:", *(f"  {line}" for line in lines)] if lines else []


def _cache_lines(hits: list[CacheHits]) -> list[str]:
    lines = []
    for hit in hits:
        for table in hit.tables:
            what = "damaged, cannot be searched" if table.tickets is None else _number(table.tickets, "ticket")
            lines.append(f"{table.path}: {what}")
        lines += [f"{path}: generated export" for path in hit.exports]
        if hit.token_files:
            count = _number(len(hit.token_files), "token file")
            lines.append(f"{hit.folder}: {count}, all there are, since encoded tickets cannot be told apart")
    return lines


def _file_lines(found: Found) -> list[str]:
    lines = []
    for run in found.runs:
        counts = [("predictions.jsonl", run.predictions, "line"), ("split.parquet", run.rows, "row")]
        counts.append(("data.json", run.entries, "entry"))
        lines += [f"{run.path / name}: {_number(count, noun)}" for name, count, noun in counts if count]
        if run.report:
            lines.append(f"{run.path / 'report.html'}: written again without it")
    return lines + [f"{page.data}: {_number(page.entries, 'entry')}, data.html beside it written again" for page in found.pages]


def _number(count: int, noun: str) -> str:
    return f"{count} {noun if count == 1 else _PLURALS.get(noun, noun + 's')}"


def _roots(searched: Where) -> list[str]:
    more = len(searched.roots) - _SHOWN
    return [*map(str, searched.roots[:_SHOWN]), *([f"{more} more folders that runs have noted"] if more > 0 else [])]


def _not_searched(searched: Where) -> str:
    text = "Other folders were not searched; name them with --runs DIR and --cache DIR (each as often as you like)."
    if searched.cut:
        text += " This folder has too many subfolders to look through all of them: name those of your runs."
    if searched.gone:
        shown = ", ".join(map(str, searched.gone[:3])) + (", ..." if len(searched.gone) > 3 else "")
        text += f" Not there now, though runs wrote there once: {shown}."
    return text


def _options(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="rca-dist clean", exit_on_error=False, allow_abbrev=False)
    chosen = parser.add_mutually_exclusive_group(required=True)
    chosen.add_argument("--ticket")
    chosen.add_argument("--text")
    parser.add_argument("--runs", action="append", default=[])
    parser.add_argument("--cache", action="append", default=[])
    parser.add_argument("--yes", action="store_true")
    try:
        options, rest = parser.parse_known_args(argv)
    except (argparse.ArgumentError, SystemExit) as error:
        raise UserError(f"clean: {error}; usage: {USAGE}") from None
    if rest:
        raise UserError(f"clean: {rest[0]!r} is not known; usage: {USAGE}")
    return options
