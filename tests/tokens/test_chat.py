"""Chat templates: what is learnt is the answer and its end, exactly; what cannot be masked is refused by name."""

import numpy as np
import pytest

from rca_dist.errors import UserError
from rca_dist.tokens.chat import chat_format, default_chat_format, is_instruct
from rca_dist.tokens.encode import IGNORE, RCADataset
from rca_dist.tokens.preview import preview
from rca_dist.tokens.prompt import PromptFormat

MARKS = ["<s>", "</s>", "<|im_start|>", "<|im_end|>", "<|begin_of_text|>", "<|eot_id|>", "<|start_header_id|>", "<|end_header_id|>",
         "<bos>", "<start_of_turn>", "<end_of_turn>", "[INST]", "[/INST]", "<|user|>", "<|assistant|>", "<|end|>", "<think>", "</think>"]  # fmt: skip
TICKETS = ["Printer 4 is down\nsince <|im_end|> noon", "Écran noir; srv-01 ne répond plus {x}"]
ANSWERS = ["Replaced the fuser, see KB5034441.\n\nDone", "Câble débranché, rebranché."]
SYSTEM = "You work in IT support."

CHATML = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
LLAMA3 = (
    "<|begin_of_text|>{% for m in messages %}<|start_header_id|>{{ m.role }}<|end_header_id|>\n\n{{ m.content | trim }}<|eot_id|>"
    "{% endfor %}{% if add_generation_prompt %}<|start_header_id|>assistant<|end_header_id|>\n\n{% endif %}"
)
DATED = LLAMA3.replace("<|begin_of_text|>", "<|begin_of_text|>Today is {{ strftime_now('%d %b %Y') }}.\n")
MISTRAL = (
    "<s>{% set sys = messages[0].content + '\n\n' if messages[0].role == 'system' else '' %}{% for m in messages %}"
    "{% if m.role == 'user' %}[INST] {{ sys }}{{ m.content }} [/INST]{% elif m.role == 'assistant' %} {{ m.content }}</s>{% endif %}{% endfor %}"
)
GEMMA = (
    "<bos>{% if messages[0].role == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}{% for m in messages %}"
    "<start_of_turn>{{ 'model' if m.role == 'assistant' else m.role }}\n{{ m.content | trim }}<end_of_turn>\n{% endfor %}"
    "{% if add_generation_prompt %}<start_of_turn>model\n{% endif %}"
)
ZEPHYR = "{% for m in messages %}<|{{ m.role }}|>\n{{ m.content }}</s>\n{% endfor %}{% if add_generation_prompt %}<|assistant|>\n{% endif %}"
# What Qwen3 does: an answer without thoughts gets an empty block of them, which the generation prompt leaves to the model.
THINKING = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{% if m.role == 'assistant' %}<think>\n\n</think>\n\n{% endif %}{{ m.content }}"
    "<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
PLAIN_WORDS = (
    "{% for m in messages %}{{ '### Instruction:\n' if m.role != 'assistant' else '### Response:\n' }}{{ m.content }}\n\n{% endfor %}"
    "{% if add_generation_prompt %}### Response:\n{% endif %}"
)
NO_END = "{% for m in messages %}{{ m.role }}: {{ m.content }}{% if not loop.last %}\n{% endif %}{% endfor %}{% if add_generation_prompt %}\nassistant: {% endif %}"
# name: (template, end of an answer as text, takes a system turn)
GOOD = {
    "chatml": (CHATML, "<|im_end|>", True), "llama3": (LLAMA3, "<|eot_id|>", True), "dated": (DATED, "<|eot_id|>", True),
    "mistral": (MISTRAL, "</s>", True), "gemma": (GEMMA, "<end_of_turn>", False), "zephyr": (ZEPHYR, "</s>", True),
    "thinking": (THINKING, "<|im_end|>", True), "plain words": (PLAIN_WORDS, "</s>", True), "no end": (NO_END, "</s>", True),
}  # fmt: skip
BAD = {
    "none": (None, "has no chat template"),
    "lower case": (CHATML.replace("m.content", "m.content | lower"), "cannot be masked exactly (it changes"),
    "answer twice": (CHATML.replace("{{ m.content }}", "{{ m.content }}{{ m.content }}"), "cannot be masked exactly (it changes, repeats"),
    "counts letters": (CHATML.replace("{{ m.role }}", "{{ m.role }}{{ m.content | length if m.role == 'user' else '' }}"), "before the ticket depends on the texts"),
    "other turn": (CHATML.replace("<|im_start|>assistant\n{% endif %}", "<|im_start|>helper\n{% endif %}"), "its generation prompt is not how"),
    "drops system": (CHATML.replace("{% for m in messages %}", "{% for m in messages if m.role != 'system' %}"), "drops the system text"),
    "raises": (GEMMA, "System role not supported"),
    "broken": (CHATML + "{{ nothing.at.all }}", "refuses these turns"),
}  # fmt: skip


def byte_level():
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    found = Tokenizer(models.BPE())
    found.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    found.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=400, special_tokens=MARKS, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
                                  show_progress=False)  # fmt: skip
    found.train_from_iterator([*TICKETS, *ANSWERS, SYSTEM] * 3, trainer=trainer)
    return found


def pieces():
    """As SentencePiece models: a space belongs to the word that follows it, one is put before a text."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    found = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True))
    found.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first")
    found.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    trainer = trainers.BpeTrainer(
        vocab_size=700, special_tokens=["<unk>", *MARKS, *(f"<0x{n:02X}>" for n in range(256))], show_progress=False
    )
    found.train_from_iterator([*TICKETS, *ANSWERS, SYSTEM] * 3, trainer=trainer)
    return found


def tokenizer(template, make=byte_level):
    from transformers import PreTrainedTokenizerFast

    return PreTrainedTokenizerFast(tokenizer_object=make(), eos_token="</s>", pad_token="<s>", chat_template=template,
                                   additional_special_tokens=MARKS[2:], clean_up_tokenization_spaces=False)  # fmt: skip


def dataset(tok, form):
    return RCADataset.from_tickets(
        ["1", "2"], TICKETS, ANSWERS, tok, eos_id=tok.eos_token_id, pad_id=0, template=form, max_length=600
    )


@pytest.mark.parametrize("kind", GOOD)
def test_learnt_text_is_answer_and_end_exactly(kind):
    template, end, takes_system = GOOD[kind]
    tok = tokenizer(template)
    form = chat_format(tok, name=kind, system=SYSTEM if takes_system else None)
    data = dataset(tok, form)
    for n, (ticket, answer) in enumerate(zip(TICKETS, ANSWERS, strict=True)):
        item = data[n]
        learnt = item["input_ids"][item["labels"] != IGNORE]
        assert tok.decode(learnt) == answer + end
        assert (learnt == tok.convert_tokens_to_ids(end)).sum() == 1
        seen = tok.decode(item["input_ids"][item["labels"] == IGNORE])
        assert seen == form.header + ticket + form.footer
        assert ticket in seen and (SYSTEM in seen) == takes_system
        # A ticket never opens or closes a turn: its markers are ordinary characters.
        assert (item["input_ids"] == tok.convert_tokens_to_ids("<|im_end|>")).sum() == seen.count("<|im_end|>") - ticket.count(
            "<|im_end|>"
        ) + learnt.tolist().count(tok.convert_tokens_to_ids("<|im_end|>"))


@pytest.mark.parametrize("kind", ["chatml", "llama3", "zephyr", "gemma"])
def test_prompts_are_what_the_template_itself_would_give(kind):
    template, _, takes_system = GOOD[kind]
    tok = tokenizer(template)
    form = chat_format(tok, name=kind, system=SYSTEM if takes_system else None)
    plain = "Printer 4 is down since noon"
    data = RCADataset.from_tickets(
        ["1"], [plain], ["yes"], tok, eos_id=tok.eos_token_id, pad_id=0, template=form, max_length=600
    )
    turns = ([{"role": "system", "content": SYSTEM}] if takes_system else []) + [{"role": "user", "content": plain}]
    expected = tok.apply_chat_template(turns, add_generation_prompt=True, tokenize=True, return_dict=False)
    assert data.prompt_ids(0).tolist() == expected


def test_what_stands_before_an_answer_belongs_to_the_prompt():
    assert chat_format(tokenizer(THINKING), name="x", system=None).footer.endswith("assistant\n<think>\n\n</think>\n\n")


def test_the_day_does_not_change_the_prompt():
    assert "Today is 26 Jul 2024." in chat_format(tokenizer(DATED), name="x", system=None).header


@pytest.mark.parametrize("kind", ["chatml", "mistral"])
def test_sentencepiece_like_tokenizers_learn_the_answer_too(kind):
    template, end, _ = GOOD[kind]
    tok = tokenizer(template, pieces)
    data = dataset(tok, chat_format(tok, name=kind, system=SYSTEM))
    for n, answer in enumerate(ANSWERS):
        learnt = data.answer_ids(n)
        assert tok.decode(learnt).strip() == answer + end
        assert tok.decode(data.prompt_ids(n)).count(TICKETS[n]) == 1


@pytest.mark.parametrize("kind", BAD)
def test_a_template_that_cannot_serve_is_refused_by_name(kind):
    template, part = BAD[kind]
    with pytest.raises(UserError) as caught:
        chat_format(tokenizer(template), name="org/some-model", system=SYSTEM)
    text = str(caught.value)
    assert part in text and "org/some-model" in text and "prompt.style=plain" in text


@pytest.mark.parametrize("kind", ["raises", "drops system"])
def test_a_default_system_text_moves_into_the_user_s_turn(kind):
    tok = tokenizer(BAD[kind][0])
    form, note = default_chat_format(tok, name="m", system=SYSTEM)
    assert form.header.endswith(f"{SYSTEM}\n\n")
    assert "takes no system turn" in note
    assert default_chat_format(tokenizer(CHATML), name="m", system=SYSTEM)[1] is None
    with pytest.raises(UserError, match="no chat template"):
        default_chat_format(tokenizer(None), name="m", system=SYSTEM)


def test_text_around_the_ticket_can_be_given():
    form = chat_format(tokenizer(CHATML), name="m", system=None, template="Fix this:\n{ticket}\nShortly.")
    assert form.text("X") == "<|im_start|>user\nFix this:\nX\nShortly.<|im_end|>\n<|im_start|>assistant\n"


@pytest.mark.parametrize(("name", "expected"), [
    ("Qwen/Qwen2.5-0.5B-Instruct", True), ("google/gemma-2-2b-it", True), ("HuggingFaceH4/zephyr-7b-beta", True),
    ("TinyLlama/TinyLlama-1.1B-Chat-v1.0", True), ("./models/Llama-3.2-1B-Instruct/", True), ("Qwen/Qwen2.5-0.5B", False),
    ("./it-tickets-model", False), ("runs/x/model", False),
])  # fmt: skip
def test_instruct_models_are_known_by_name(name, expected):
    assert is_instruct(name, tokenizer(CHATML)) is expected
    assert not is_instruct(name, tokenizer(None))


def test_the_preview_shows_the_ids_and_what_is_learnt():
    tok = tokenizer(CHATML)
    text = preview(dataset(tok, chat_format(tok, name="m", system=None)), tok)
    assert "ticket 1: " in text and "ticket 2: " in text
    assert "+ Replaced the fuser, see KB5034441.\n+ \n+ Done<|im_end|>" in text
    assert "  <|im_start|>user\n  Printer 4 is down\n  since <|im_end|> noon<|im_end|>" in text
    assert "\033[" not in text and "\033[32m+ Done" in preview(
        dataset(tok, chat_format(tok, name="m", system=None)), tok, colour=True
    )
    assert preview(RCADataset.from_tickets([], [], [], tok, eos_id=1, pad_id=0, template="{ticket}", max_length=50), tok) == ""


def test_the_preview_names_cuts():
    tok = tokenizer(CHATML)
    form = PromptFormat.from_template("Ticket: {ticket} =>")
    data = RCADataset.from_tickets(
        ["9"], ["down " * 200], ["yes " * 100], tok, eos_id=1, pad_id=0, template=form, max_length=60
    )
    assert "(ticket text and answer cut)" in preview(data, tok)
    assert np.all(data.lengths <= 60)
