"""Which prompt a run uses: nothing that is asked for goes nowhere."""

from types import SimpleNamespace

import pytest

from rca_dist.command_line import parse
from rca_dist.errors import UserError
from rca_dist.prompting import prompt_format, settle_template
from rca_dist.tokens.prompt_texts import PLAIN, main_language

TABLE = SimpleNamespace(facts={"languages": {"fr": 70, "en": 30, "und": 900}})


def settled(text, table=TABLE):
    config = parse(text.split()).config
    settle_template(config, table)
    return config


@pytest.mark.parametrize(("counts", "language"), [
    ({"fr": 70, "en": 30, "und": 900}, "fr"), ({"fr": 60, "en": 40}, "en"), ({}, "en"), ({"und": 5}, "en"), ({"xx": 9, "fr": 1}, "en"),
])  # fmt: skip
def test_the_language_of_a_clear_majority(counts, language):
    assert main_language(counts) == language


def test_the_default_template_is_written_out_and_repeats_itself():
    config = settled("model.name_or_path=org/m")
    assert config.prompt.template == PLAIN["fr"]
    assert settled("model.name_or_path=org/m prompt.language=de").prompt.template == PLAIN["de"]
    assert settled("model.name_or_path=org/m prompt.template=a{ticket}").prompt.template == "a{ticket}"
    before = config.computed_hash("d")
    settle_template(config, TABLE)
    assert config.computed_hash("d") == before


@pytest.mark.parametrize("text", ["model.name_or_path=org/m-Instruct", "model.name_or_path=org/m prompt.style=chat"])
def test_a_chat_template_may_take_its_place(text):
    assert settled(text).prompt.template is None


def test_a_system_text_that_would_go_nowhere_is_refused():
    with pytest.raises(UserError, match=r"prompt\.system is given, but org/m gets plain prompts.*prompt\.style=chat"):
        settled("model.name_or_path=org/m prompt.system=hello")
    assert settled("model.name_or_path=org/m prompt.system=").prompt.template
    # By name it could chat, but its tokenizer has no template.
    config = settled("model.name_or_path=org/m-Instruct prompt.system=hello")
    adapter = SimpleNamespace(name="org/m-Instruct", tokenizer=SimpleNamespace(chat_template=None))
    with pytest.raises(UserError, match="gets plain prompts"):
        prompt_format(config, TABLE, adapter)
