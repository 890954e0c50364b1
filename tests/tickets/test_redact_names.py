"""Names in running text: the optional finder on presidio and spaCy, and what is said where a part of it is missing."""

import pickle
import subprocess
import sys
from pathlib import Path

import pytest

from rca_dist.errors import UserError
from rca_dist.tickets.redact import Redactor, scan
from rca_dist.tickets.redaction import names
from rca_dist.tickets.redaction.names import NameFinder

ROOT = Path(__file__).resolve().parents[2]


class WordList:
    """Finds the listed names: what the redactor sees of a name model."""

    def __init__(self, *names: str) -> None:
        self.names = names

    def find(self, text: str, language: str | None) -> list[tuple[int, int, str]]:
        return sorted((text.index(name), text.index(name) + len(name), "PERSON") for name in self.names if name in text)


def test_found_names_are_replaced_counted_and_consistent() -> None:
    redactor = Redactor(WordList("Jane Roe", "Amal Petrov"))
    texts = ["the laptop of Jane Roe is slow", "gave Amal Petrov the laptop of Jane Roe"]
    assert redactor.redact_ticket(texts) == ["the laptop of <PERSON> is slow", "gave <PERSON_2> the laptop of <PERSON>"]
    assert redactor.counts == {"PERSON": 3}


def test_placeholders_and_ticket_words_are_no_names() -> None:
    names = WordList("PERSON", "Outlook", "SECRET")
    text = "Mr Miller has Outlook, password: Welcome1 ok"
    assert Redactor(names).redact_ticket([text]) == ["Mr <PERSON> has Outlook, password: <SECRET> ok"]


def test_scan_counts_names_too() -> None:
    assert scan("ask Jane Roe at a@example.com", WordList("Jane Roe")) == {"PERSON": 1, "EMAIL": 1}


def test_a_missing_package_is_an_error_with_the_commands() -> None:
    code = (
        "import sys; sys.modules['spacy'] = None; sys.modules['presidio_analyzer'] = None\n"
        "from rca_dist.tickets.redaction.names import NameFinder\n"
        "try: NameFinder(['fr'])\nexcept ValueError as error: print(type(error).__name__, error)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, timeout=60, check=True)
    assert ran.stdout.startswith("UserError names are to be redacted")
    assert "pip install 'rca-dist[pii]' && python -m spacy download fr_core_news_sm" in ran.stdout


@pytest.mark.parametrize(("languages", "said"), [(["xx"], "no spaCy pipeline is known for language 'xx'"), ([], "no language")])
def test_unknown_and_missing_languages_are_named(languages: list[str], said: str) -> None:
    with pytest.raises(UserError, match=said):
        NameFinder(languages)


def test_long_texts_are_cut_at_spaces_and_put_together() -> None:
    text = "word " * 50_000
    pieces = list(names._pieces(text))
    assert "".join(piece for _, piece in pieces) == text
    assert all(text[start : start + len(piece)] == piece for start, piece in pieces)
    assert all(len(piece) <= 100_000 and not piece.startswith("ord") for _, piece in pieces)
    assert "".join(piece for _, piece in names._pieces("a" * 250_000)) == "a" * 250_000


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The folder of a small spaCy pipeline that knows two people."""
    pytest.importorskip("presidio_analyzer", reason="the extra [pii] is not installed: pip install 'rca-dist[pii]'")
    spacy = pytest.importorskip("spacy")
    nlp = spacy.blank("en")
    ruler = nlp.add_pipe("entity_ruler")
    ruler.add_patterns(
        [
            {"label": "PERSON", "pattern": "Jane Roe"},
            {"label": "PERSON", "pattern": "Outlook"},
            {"label": "GPE", "pattern": "Lyon"},
        ]
    )
    folder = tmp_path_factory.mktemp("pipeline") / "en_tiny"
    nlp.to_disk(folder)
    return str(folder)


def test_presidio_finds_names_and_leaves_places_and_products(pipeline: str) -> None:
    finder = NameFinder({"en": pipeline})
    text = "In Lyon the Outlook of Jane Roe (jane@example.com) hangs"
    assert (23, 31, "PERSON") in finder.find(text, "en")
    redactor = Redactor(finder)
    assert redactor.redact_ticket([text], "de") == ["In Lyon the Outlook of <PERSON> (<EMAIL>) hangs"]
    assert redactor.counts == {"PERSON": 1, "EMAIL": 1}


def test_a_finder_travels_to_another_process_by_its_models(pipeline: str) -> None:
    finder = pickle.loads(pickle.dumps(Redactor(NameFinder({"en": pipeline}))))
    assert finder.redact_ticket(["ask Jane Roe"], "en") == ["ask <PERSON>"]


def test_a_missing_model_is_an_error_and_nothing_is_downloaded(tmp_path: Path) -> None:
    pytest.importorskip("presidio_analyzer", reason="the extra [pii] is not installed: pip install 'rca-dist[pii]'")
    for name in ("fr_core_news_sm_absent", str(tmp_path)):
        with pytest.raises(UserError, match=r"is not installed.*python -m spacy download"):
            NameFinder({"fr": name})


def test_a_broken_pipeline_is_an_error(tmp_path: Path) -> None:
    pytest.importorskip("presidio_analyzer", reason="the extra [pii] is not installed: pip install 'rca-dist[pii]'")
    (tmp_path / "meta.json").write_text('{"lang": "en"}', encoding="utf-8")
    with pytest.raises(UserError, match="cannot load the spaCy pipelines"):
        NameFinder({"en": str(tmp_path)})
