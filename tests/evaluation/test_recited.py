"""What a model recites is replaced, or counted where redaction is off."""

import logging

from rca_dist.evaluation.recited import without_personal_data

TEXTS = ["Ask jane.roe@example.com", "Restart the spooler", "password: Winter#2024 for 192.0.2.7"]


def test_personal_data_in_answers_is_replaced_and_counted(caplog):
    with caplog.at_level(logging.WARNING):
        texts, found = without_personal_data(TEXTS, replaced=True, name="model on test")
    assert texts == ["Ask <EMAIL>", "Restart the spooler", "password: <SECRET> for <IP>"]
    assert found == {"EMAIL": 1, "SECRET": 1, "IP": 1}
    assert "model on test" in caplog.text
    assert "jane" not in caplog.text


def test_without_redaction_it_is_counted_and_left(caplog):
    texts, found = without_personal_data(TEXTS, replaced=False, name="base on test", speaks=False)
    assert texts == TEXTS
    assert sum(found.values()) == 3
    assert caplog.text == ""
