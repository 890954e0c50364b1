"""Samples of raw tickets: the structure is seen, what is not in the cleaned ticket is not."""

import json
import re
import time

from rca_dist.tickets.describing.before import masked, raw_samples


def sample(raw: tuple[str, str], clean: tuple[str, str]) -> dict[str, str]:
    return raw_samples(["T1"], [clean[0]], [clean[1]], lambda n: raw)[0]


def test_markup_shows_and_attributes_do_not() -> None:
    raw = '<p class="x">Printer <b>down</b>&nbsp;since <a href="http://intra/jane.roe">Monday</a></p>\\nplease<br/>'
    found = sample((raw, "fixed it"), ("Printer down since Monday\nplease", "fixed it"))
    assert found["prompt"] == "<p …>Printer <b>down</b>&nbsp;since <a …>Monday</a></p>\\nplease<br/>"
    assert found["answer"] == "fixed it"
    assert found["id"] == "T1"


def test_a_signature_and_a_quoted_mail_are_counted_not_shown() -> None:
    raw = "Printer down\n\nRegards,\nJane Roe\nHead of Sales, room 12\nFrom: John Doe\nSubject: printer\n> call me"
    found = sample((raw, "x y"), ("Printer down", "x y"))["prompt"]
    for hidden in ("Jane", "Roe", "Sales", "12", "John", "Doe", "call"):
        assert hidden not in found
    # A name is a placeholder or a count, as the redaction rules know it or not.
    assert re.match(r"Printer down\n\nRegards,\n(<PERSON_?\d*>\n\[5 words\]|\[7 words\])\nFrom: ", found)
    assert found.endswith("\nSubject: printer\n> [2 words]")


def test_what_redaction_finds_only_after_cleaning_is_hidden_too() -> None:
    hidden = [
        "jane&#64;example&#46;com", "jane&commat;example.com", "&#106;ane@exam<b>ple.com</b>", "j<span>ane</span>@example.com",
        "<Jane Roe>", "jane.roe@example.com", "+33 1 99 00 12 34", "<!-- jane roe -->", "<jane@example.com>",
    ]  # fmt: skip
    for form in hidden:
        shown = json.dumps(sample((f"call {form} now", "a b"), ("call <EMAIL> now", "a b"))["prompt"]).casefold()
        assert "jane" not in shown and "roe" not in shown and "99 00" not in shown and "exam" not in shown, (form, shown)
        assert "ane" not in shown and "ple" not in shown, (form, shown)


def test_placeholders_stay_and_redaction_covers_both_texts() -> None:
    found = sample(("from bob@example.com", "told bob@example.com"), ("from <EMAIL>", "told <EMAIL>"))
    assert (found["prompt"], found["answer"]) == ("from <EMAIL>", "told <EMAIL>")


def test_unredacted_tickets_give_redacted_samples() -> None:
    found = sample(("from bob@example.com", "x"), ("from bob@example.com", "x"))
    assert "bob" not in found["prompt"]


def test_the_same_tickets_are_chosen_in_any_order_the_most_changed_among_them() -> None:
    ids = [f"T{n}" for n in range(50)]
    prompts = ["short text"] * 50

    def raw_of(names: list[str]):  # type: ignore[no-untyped-def]
        return lambda n: ("short text" + " cut away" * (40 if names[n] == "T17" else 0), "a")

    one = raw_samples(ids, prompts, ["a"] * 50, raw_of(ids))
    other = raw_samples(ids[::-1], prompts, ["a"] * 50, raw_of(ids[::-1]))
    assert one == other
    assert len(one) == 5
    assert "T17" in [found["id"] for found in one]


def test_hostile_text_is_quick() -> None:
    began = time.perf_counter()
    for text in ("<a " * 70_000, "&" * 200_000, "<" * 200_000, "\\" * 200_000, "<a" + " x" * 100_000, "_x000" * 40_000):
        masked(text, frozenset())
        sample((text, text), ("a", "b"))
    assert time.perf_counter() - began < 5
