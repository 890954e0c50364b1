"""Warnings before training: copied answers, known answers, languages, small classes, drift; and silence on good data."""

import datetime as dt
import random
import time
from typing import Any

import pytest

from rca_dist.tickets.language import detect_language
from rca_dist.tickets.split import Split, make_split
from rca_dist.tickets.splitting.drift import find_drift
from rca_dist.tickets.splitting.findings import find_warnings, language_warnings, small_classes
from rca_dist.tickets.splitting.leaks import copied_answer_share, copied_share, leak_warnings

START = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)
ANSWER = "we replaced the network card in the server and restarted the backup service"


def sentence(rng: random.Random, words: int = 20) -> str:
    return " ".join("".join(rng.choice("abcdefghij") for _ in range(3)) for _ in range(words))


def tickets(count: int = 400) -> dict[str, Any]:
    rng = random.Random(1)
    return {
        "id": [f"INC{i:05d}" for i in range(count)],
        "prompt": [sentence(rng) for _ in range(count)],
        "answer": [sentence(rng) for _ in range(count)],
        "created_at": [START + dt.timedelta(hours=i) for i in range(count)],
        "language": ["en"] * count,
        "slice_category": [f"c{i % 4}" for i in range(count)],
    }


def split(frame: dict[str, Any]) -> Split:
    return make_split(frame["id"], list(range(len(frame["id"]))))


def test_nothing_is_said_about_good_tickets() -> None:
    frame = tickets()
    facts, warnings = find_warnings(frame, split(frame))
    assert warnings == []
    assert facts["leakage"] == {"answer_in_prompt": 0.0, "answer_copied_from_prompt": 0.0, "test_answer_in_train": 0.0}
    assert facts["small_classes"] == {"category": {"values": 4, "few_in_train": 0, "only_in_test": 0}}
    assert facts["drift"]["tickets"] == 40 and len(facts["drift"]["volume"]) == 10


def test_copied_share_counts_words_in_runs() -> None:
    assert copied_share(f"Update: {ANSWER.upper()}!", ANSWER) == 1.0
    assert copied_share("the server is down", ANSWER) == 0.0
    half = "we replaced the network card in " + sentence(random.Random(2))
    assert copied_share(half, ANSWER) == pytest.approx(6 / 13)
    assert copied_share("in in the the we we card server network and service", ANSWER) == 0.0
    two = "replaced the network card in something else restarted the backup service ok and restarted the backup service"
    assert copied_share(two, ANSWER) == pytest.approx(10 / 13)
    assert copied_share(ANSWER, "it works") == 0.0 == copied_share("", "")
    assert copied_answer_share([two, half], [ANSWER, ANSWER]) == 0.5
    assert copied_answer_share([], []) == 0.0


def test_an_answer_edited_into_the_prompt_is_said_first() -> None:
    frame = tickets()
    for row in range(0, 400, 10):
        frame["prompt"][row] += " SOLUTION - " + frame["answer"][row].rsplit(" ", 4)[0]
    facts, warnings = find_warnings(frame, split(frame))
    assert facts["leakage"]["answer_in_prompt"] == 0.0 and facts["leakage"]["answer_copied_from_prompt"] == 0.1
    assert warnings[0].startswith("10 % of tickets hold most of their answer inside the prompt: the model can copy it.")
    for row in range(0, 400, 2):
        frame["prompt"][row] += " " + frame["answer"][row]
    assert find_warnings(frame, split(frame))[1][0].startswith(
        "50 % of tickets hold most of their answer inside the prompt (50 % word for word as a whole)"
    )
    assert "1.0 % of tickets hold their answer" in leak_warnings(0.01, 0.0)[0]


def test_known_test_answers_and_the_warnings_of_the_split_are_passed_on() -> None:
    frame = tickets()
    frame["answer"] = ["restart the service and wait"] * 400
    made = make_split(frame["id"], [0] * 400)
    facts, warnings = find_warnings(frame, made)
    assert facts["leakage"]["test_answer_in_train"] == 1.0
    assert warnings[0].startswith("100 % of the answers are the same text (400 of 400: 'restart the service and wait')")
    assert warnings[1].startswith("templated data") and warnings[2].startswith("100 % of test answers")
    assert find_warnings(frame, made, most=1)[1] == warnings[:1]


def test_languages() -> None:
    sides = ["train"] * 80 + ["test"] * 40
    both = ["en", "fr"] * 60
    assert language_warnings(both, sides) == [
        "the tickets are in several languages (en 50 %, fr 50 %): read the scores by language."
    ]
    few = ["en"] * 70 + ["fr"] * 10 + ["fr"] * 3 + ["en"] * 37
    assert "fewer than 20 test tickets are in fr, too few" in language_warnings(few, sides)[0]
    unknown = ["en"] * 80 + ["de"] * 30 + ["en"] * 10
    assert language_warnings(unknown, sides)[0].startswith("test has tickets in de and train has none")
    assert language_warnings(["en"] * 119 + ["und"], sides) == [] == language_warnings(["en"] * 119 + ["pt"], sides)


def test_small_classes() -> None:
    sides = ["train"] * 80 + ["test"] * 20
    cells = ["mail"] * 70 + ["vpn"] * 4 + ["net"] * 6 + ["mail"] * 17 + ["sap"] * 3
    facts, (warning,) = small_classes({"category": cells}, sides)
    assert facts == {"category": {"values": 4, "few_in_train": 1, "only_in_test": 1}}
    assert warning.startswith(
        "'category': 1 of 4 values have fewer than 5 training tickets ('vpn') and 1 stand in test and never"
    )
    assert small_classes({"name": [f"n{i}" for i in range(100)], "one": ["x"] * 100}, sides) == ({}, [])


def drift(frame: dict[str, Any], **slices: list[str]) -> tuple[dict[str, Any], list[str]]:
    return find_drift(frame["id"], frame["prompt"], frame["answer"], frame["created_at"], slices)


def test_new_words_and_new_answers_are_drift() -> None:
    frame = tickets()
    for row in range(370, 400):
        frame["prompt"][row] += " zephyr"
    for row in range(400):
        frame["prompt"][row] += f" srv{row}"
    facts, (warning,) = drift(frame)
    assert facts["new_words"] == {"newest": 0.75, "by_lot": 0.0}
    assert "a word that no older ticket has" in warning and "judge by split.kind=time" in warning
    by_time = find_drift(frame["id"], frame["prompt"], frame["answer"], frame["created_at"], advise_time_split=False)[1][0]
    assert by_time.endswith("the data drifts.")
    frame = tickets()
    frame["answer"] = [f"known answer {i % 5}" for i in range(360)] + [f"new answer {i}" for i in range(40)]
    (warning,) = drift(frame)[1]
    assert warning.startswith("100% of the newest tickets (since 2024-01-16) have an answer that no older ticket has")


def test_volume_and_mix() -> None:
    frame = tickets()
    frame["created_at"] = [START + dt.timedelta(hours=min(i, 300) + max(0, i - 300) / 4) for i in range(400)]
    facts, (warning,) = drift(frame)
    assert sum(facts["volume"]) == 400 and facts["volume"][-1] > 100
    assert warning.startswith("the last tenth of the time span (2024-01-13 to 2024-01-14)")
    frame = tickets()
    cells = ["mail", "vpn"] * 180 + ["sap"] * 40
    facts, (warning,) = drift(frame, category=cells, same=["a", "b"] * 200, free=frame["id"])
    assert facts["mix"] == {"category": 1.0, "same": 0.0}
    assert warning.startswith("the mix of 'category' has changed: 'sap' is 100% of the newest tickets and was 0% before")


def test_drift_needs_dates_and_ignores_row_order() -> None:
    frame = tickets()
    order = random.Random(3).sample(range(400), 400)
    turned = {name: [cells[row] for row in order] for name, cells in frame.items()}
    assert drift(frame) == drift(turned)
    assert find_drift(frame["id"], frame["prompt"], frame["answer"], [None] * 400) == ({}, [])
    answers = [f"answer {i % 300}" for i in range(400)]
    same = {**frame, "answer": answers, "created_at": [START] * 400}
    turned = {**turned, "answer": [answers[row] for row in order], "created_at": [START] * 400}
    assert drift(same) == drift(turned) and drift(same)[1] == []


def test_hostile_texts_cost_little() -> None:
    began = time.process_time()
    for text in ("a " * 100_000, "x" * 200_000, "\u4e00" * 200_000, "\u0301" * 200_000):
        copied_share(text, text)
        detect_language(text)
    assert time.process_time() - began < 5


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Wachtwoord verlopen, graag opnieuw instellen", "nl"),
        ("Redémarrage du serveur effectué, incident clos", "fr"),
        ("Erro ao abrir o correio eletrônico", "pt"),
        ("Drukarka nie działa od dzisiaj rano", "pl"),
        ("Принтер не работает с сегодняшнего утра", "ru"),
        ("Не можу відкрити спільну теку, її немає", "uk"),
        ("Outlook エラー 0x80040115 が表示されます", "ja"),
        ("打印机从今天早上开始无法工作", "zh"),
        ("오늘 아침부터 프린터가 작동하지 않습니다", "ko"),
        ("الطابعة لا تعمل منذ هذا الصباح", "ar"),
        ("Ο εκτυπωτής δεν λειτουργεί", "el"),
        ("המדפסת לא עובדת מהבוקר הזה", "he"),
        ("เครื่องพิมพ์ไม่ทำงานตั้งแต่เช้านี้", "th"),
        ("印刷機故障、至急対応願います", "ja"),
        ("Messagerie bloquée, quota dépassé".replace("é", "e\u0301"), "fr"),
        ("sdkfjh skdjfh ksdjhf kjsdhfkjsdhf", "und"),
        ("VPN 接続", "und"),
    ],
)
def test_languages_by_script_and_by_model(text: str, language: str) -> None:
    assert detect_language(text) == language


def test_one_text_for_most_answers_is_said_first_with_the_text() -> None:
    frame = tickets()
    for row in range(300):
        frame["answer"][row] = "We looked at it and wrote to ann@example.com, do not hesitate to contact us again."
    _, warnings = find_warnings(frame, split(frame))
    assert warnings[0].startswith("75 % of the answers are the same text (300 of 400: 'We looked at it and wrote to <EMAIL>")
    assert "ann@" not in warnings[0] and "data.columns.answer=NAME" in warnings[0]
    frame["answer"] = [f"the fix was number {row % 5} of all" if row < 250 else f"swapped part {row}" for row in range(400)]
    assert find_warnings(frame, split(frame))[1][0].startswith("62 % of the answers are one of 5 texts (most often, 50 times:")
    frame["answer"] = [f"the fix was number {row % 80} of all of them" for row in range(400)]
    assert not any("same text" in text or "texts (" in text for text in find_warnings(frame, split(frame))[1])
