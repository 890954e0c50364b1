"""The yardsticks: nearest old ticket, most frequent answer, random answer."""

import numpy as np
import pytest

from rca_dist.errors import UserError
from rca_dist.evaluation import baselines

PROMPTS = ["VPN drops every hour on laptop", "Printer HP-22 jams", "Outlook cannot open the shared mailbox", "VPN slow"]
ANSWERS = ["Updated the VPN client", "Replaced the roller", "Recreated the profile", "Changed the route"]


def test_nearest_finds_the_ticket_and_its_answer() -> None:
    nearest = baselines.Nearest(PROMPTS, ANSWERS)
    queries = ["the printer hp-22 jams again", "shared mailbox in outlook", PROMPTS[0]]
    answers, indices, similarities = nearest.answer(queries)
    assert indices == [1, 2, 0]
    assert answers == [ANSWERS[1], ANSWERS[2], ANSWERS[0]]
    assert similarities[2] == pytest.approx(1.0)
    assert 0 < similarities[1] < 1


def test_nearest_similarity_is_the_mean_of_two_cosines() -> None:
    # Words: {disk, full, "disk full"} against {disk, slow, "disk slow"}: one of three shared, idf written out.
    nearest = baselines.Nearest(["disk full", "disk slow"], ["a", "b"])
    idf_once = np.log(3 / 2) + 1
    words = 1 / (1 + 2 * idf_once**2)
    half = nearest._vectorizers[0].transform(["disk full"]) @ nearest._known[0]
    assert half.toarray()[0] == pytest.approx([1.0, words], rel=1e-6)
    total = nearest._similarity(["disk full"])[0]
    grams = (nearest._vectorizers[1].transform(["disk full"]) @ nearest._known[1]).toarray()[0]
    assert total == pytest.approx([1.0, (words + grams[1]) / 2], abs=1e-6)


def test_ties_go_to_the_lowest_index_and_chunks_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    nearest = baselines.Nearest(["zzz yyy", *PROMPTS, *PROMPTS], ["z", *ANSWERS, *ANSWERS])
    queries = [*PROMPTS, "", "qqqq", "VPN client slow on laptop"]
    whole = nearest.answer(queries)
    monkeypatch.setattr(baselines, "_CELLS_PER_CHUNK", 10)
    assert nearest.answer(queries) == whole
    assert whole[1][:4] == [1, 2, 3, 4]
    assert whole[1][4:6] == [0, 0]
    assert whole[2][4:6] == [0.0, 0.0]


def test_nearest_reads_scripts_without_spaces_and_accents() -> None:
    nearest = baselines.Nearest(["サーバーが停止", "プリンターの紙詰まり", "imprimante réseau"], ["a", "b", "c"])
    assert nearest.answer(["紙詰まり", "IMPRIMANTE RE\u0301SEAU"])[0] == ["b", "c"]


def test_nearest_without_words_or_tickets() -> None:
    assert baselines.Nearest(["!!", "??"], ["a", "b"]).answer(["disk"])[1:] == ([0], [0.0])
    assert baselines.Nearest(PROMPTS, ANSWERS).answer([]) == ([], [], [])
    with pytest.raises(UserError, match="training split is empty"):
        baselines.Nearest([], [])
    with pytest.raises(ValueError, match="4 training prompts for 3"):
        baselines.Nearest(PROMPTS, ANSWERS[:3])


def test_constant_counts_after_normalisation_and_breaks_ties_by_order() -> None:
    assert baselines.constant_answer(["b", "Restarted.", "restarted", "b c", "RESTARTED"]) == "Restarted."
    assert baselines.constant_answer(["x", "y"]) == "x"
    with pytest.raises(UserError, match="constant"):
        baselines.constant_answer([])


def test_random_answers_repeat_by_seed_and_cover_the_set() -> None:
    drawn = baselines.random_answers(ANSWERS, 200, seed=1)
    assert drawn == baselines.random_answers(ANSWERS, 200, seed=1)
    assert drawn != baselines.random_answers(ANSWERS, 200, seed=2)
    assert set(drawn) == set(ANSWERS)
    with pytest.raises(UserError, match="random"):
        baselines.random_answers([], 1, seed=0)
