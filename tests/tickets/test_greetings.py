"""Greeting lines of answers go and are counted; prompts keep theirs."""

import time

import pytest

from rca_dist.tickets.clean import Cleaner
from rca_dist.tickets.cleaning.greetings import strip_greeting

TEXT = "Restarted the spooler.\nThe user can print again."
GREETINGS = (
    "Hi Jane,|Hi <PERSON>,|Hi <PERSON_2>|Dear all,|Hello|Hello team!|Good morning Mr. O'Neil,|Dear Sir or Madam,|Hi @jroe,|Bonjour,|"
    "Bonjour Mme Dupont,|Bonjour \u00e0 tous,|Ch\u00e8re Madame, cher Monsieur,|Sehr geehrte Damen und Herren,|Hallo Frau M\u00fcller,|"
    "Guten Tag|Hola Ana,|Buenos d\u00edas,|Estimado usuario:|Ol\u00e1 Jo\u00e3o,|Bom dia,|Prezados,|Ciao Luca,|Gentile utente,|"
    "Buongiorno Sig. Rossi,|Geachte heer/mevrouw,|Beste Jan,|Goedemorgen,|HI ALL"
)
NO_GREETINGS = (
    "Hello service crashed|Dear lord the disk failed|Hi, restarted the host|Oi restart|Dag rebuilt in Airflow|Beste oplossing|"
    "Good day for a restart|Salve process stopped|Replaced toner,|Hi Jane, the queue was cleared"
)


@pytest.mark.parametrize("line", GREETINGS.split("|"))
def test_a_greeting_line_goes_from_an_answer_and_stays_in_a_prompt(line: str) -> None:
    cleaner = Cleaner()
    assert cleaner.column([f"{line}\n\n{TEXT}", TEXT], answer=True) == [TEXT, TEXT]
    assert cleaner.counts["greeting"] == 1
    asked = Cleaner()
    assert asked.column([f"{line}\n\n{TEXT}"]) == [f"{line}\n\n{TEXT}"] and not asked.counts["greeting"]


@pytest.mark.parametrize("line", NO_GREETINGS.split("|"))
def test_a_line_that_says_something_stays(line: str) -> None:
    assert strip_greeting(f"{line}\n{TEXT}") == f"{line}\n{TEXT}"


def test_two_greetings_go_and_a_greeting_alone_stays() -> None:
    assert strip_greeting(f"Hi Jane,\n\nGood morning,\n{TEXT}") == TEXT
    assert strip_greeting("Hi Jane,\n\n") == "Hi Jane,\n\n" and strip_greeting("Hi Jane,") == "Hi Jane,"
    journal = "2024-03-05 10:20:30 - Ann Doe (Work notes)\nHi Jane,\n" + TEXT
    assert Cleaner().column([journal], journal=True, answer=True) == [TEXT]


def test_hostile_greetings_take_no_time() -> None:
    start = time.perf_counter()
    for unit in ("Hi ", "A, ", "m. ", "hi\n", "Dear A/"):
        strip_greeting("Hi " + unit * 60_000 + "\nx")
        strip_greeting("Hi " + unit * (70 // len(unit)) + "?\nx")
    assert time.perf_counter() - start < 1
