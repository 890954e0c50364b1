"""data.json and data.html that `rca-dist data --html` wrote: what quotes a ticket goes, the page is written again."""

from collections.abc import Set
from dataclasses import dataclass
from pathlib import Path

from rca_dist.purge.runs import scrub_facts
from rca_dist.purge.wanted import Trace
from rca_dist.runtime.files import read_json, write_json, write_text


@dataclass
class PageHits:
    """A data.json with how many entries of it quote the ticket."""

    data: Path
    trace: Trace
    entries: int
    belongs: bool = False

    def __bool__(self) -> bool:
        return self.entries > 0

    def remove(self) -> None:
        """Write both files again without the quotations."""
        from rca_dist.report.data_page import render

        facts, _ = scrub_facts(read_json(self.data), self.trace, belongs=self.belongs)
        write_json(self.data, facts)
        page = self.data.with_name("data.html")
        if page.is_file():
            write_text(page, render(facts))


def search_page(folder: Path, trace: Trace, fingerprints: Set[str]) -> PageHits:
    """Look into the data.json of `folder`; one that another program wrote is left alone.

    `fingerprints` are those of the data that the ticket was found in.
    """
    data = folder / "data.json"
    facts = read_json(data)
    if not (isinstance(facts, dict) and "rows" in facts and "profile" in facts):
        return PageHits(data, trace, 0)
    belongs = facts.get("fingerprint") in fingerprints
    return PageHits(data, trace, scrub_facts(facts, trace, belongs=belongs)[1], belongs)
