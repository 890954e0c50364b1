"""The fixed text that a tokenizer's chat template puts around a ticket and its answer, found by rendering it.

The template is treated as a black box: it is rendered for several made-up tickets and answers, and what stands around them must
always be the same. A template for which that does not hold cannot be masked exactly and is refused by name.
"""

import itertools
from typing import Any

from rca_dist.errors import UserError
from rca_dist.tokens.prompt import MARKER, PromptFormat, control_tokens
from rca_dist.tokens.prompt_texts import instruct_name

# Templates that write today's date would train another prompt every day. This one is Llama's own fallback.
FIXED_DAY = "{%- macro strftime_now(pattern) -%}26 Jul 2024{%- endmacro -%}"
# Plain words: templates may trim, and one that changes letters must be seen.
PROBES = (("Zqticket one", "Xvanswer one"), ("Another Zqticket: two, 2", "Another Xvanswer: two, 2"))


def chat_format(tokenizer: Any, *, name: str, system: str | None, template: str = MARKER) -> PromptFormat:
    """The format of one user turn (`template` around the ticket) after `system`, answered by one assistant turn.

    What the template puts between the generation prompt and an answer (such as an empty block of thoughts) belongs to the
    prompt, so that generation starts exactly where a trained answer starts.
    Raises: UserError when there is no template, it fails, drops the system text, or cannot be masked exactly.
    """
    if not getattr(tokenizer, "chat_template", None):
        raise UserError(f"prompt.style=chat: the tokenizer of {name} has no chat template; use --prompt.style=plain")
    pieces = [_pieces(tokenizer, name, system, template, *probe) for probe in PROBES]
    if pieces[0] != pieces[1]:
        parts = ("before the ticket", "between ticket and answer", "after the answer")
        changed = next(part for part, a, b in zip(parts, *pieces, strict=True) if a != b)
        raise _refused(name, f"what it writes {changed} depends on the texts")
    header, footer, tail = pieces[0]
    if system and system.strip() not in header:
        raise UserError(
            f"prompt.style=chat: the chat template of {name} drops the system text; put it into the user's message instead "
            f"(--prompt.system= and --prompt.template='... {MARKER}'), or use --prompt.style=plain"
        )
    return PromptFormat(header, footer, chat=True, end_id=_end_id(tokenizer, tail))


def default_chat_format(tokenizer: Any, *, name: str, system: str, template: str = MARKER) -> tuple[PromptFormat, str | None]:
    """`chat_format`, with the system text before the ticket in the user's turn where the template takes no system turn.

    Returns the format and, in that case, the line to say so.
    """
    try:
        return chat_format(tokenizer, name=name, system=system, template=template), None
    except UserError:
        # What fails without a system turn too is told by this second attempt.
        found = chat_format(tokenizer, name=name, system=None, template=f"{system}\n\n{template}")
        return found, f"the chat template of {name} takes no system turn: its text stands at the start of the user's turn"


def _pieces(tokenizer: Any, name: str, system: str | None, template: str, ticket: str, answer: str) -> tuple[str, str, str]:
    """Text before the ticket, between ticket and answer, after the answer."""
    turns = [{"role": "system", "content": system}] if system else []
    turns.append({"role": "user", "content": template.replace(MARKER, ticket)})
    prompt = _render(tokenizer, name, turns, generation=True)
    whole = _render(tokenizer, name, [*turns, {"role": "assistant", "content": answer}], generation=False)
    if whole.count(answer) != 1 or whole.count(ticket) != 1 or prompt.count(ticket) != 1:
        raise _refused(name, "it changes, repeats or leaves out the ticket or the answer")
    before, tail = whole.split(answer)
    if not before.startswith(prompt):
        raise _refused(name, "its generation prompt is not how a turn with an answer begins")
    header, footer = before.split(ticket)
    return header, footer, tail


def _render(tokenizer: Any, name: str, turns: list[dict[str, str]], *, generation: bool) -> str:
    try:
        template = FIXED_DAY + tokenizer.get_chat_template()
        return str(
            tokenizer.apply_chat_template(turns, chat_template=template, tokenize=False, add_generation_prompt=generation)
        )
    # A template is a program of its own and may fail in any way, most of all on a system turn.
    except Exception as error:
        has_system = turns[0]["role"] == "system"
        advice = "leave the system text out with --prompt.system= or " if has_system else ""
        first = " ".join(str(error).split())[:200]
        raise UserError(
            f"prompt.style=chat: the chat template of {name} refuses these turns ({first}); {advice}use --prompt.style=plain"
        ) from error


def _end_id(tokenizer: Any, tail: str) -> int | None:
    """The control token that ends an assistant turn; None where the template leaves that to the tokenizer's end of text."""
    ids = tokenizer(tail.lstrip(" "), add_special_tokens=False)["input_ids"] if tail.strip() else []
    control = set(control_tokens(tokenizer).values())
    # Some put a line end before it, which no answer needs.
    first = next(itertools.dropwhile(lambda n: not tokenizer.decode([n]).strip(), ids), None)
    return first if first in control else None


def _refused(name: str, reason: str) -> UserError:
    return UserError(
        f"prompt.style=chat: the chat template of {name} cannot be masked exactly ({reason}); use --prompt.style=plain"
    )


def is_instruct(name: str, tokenizer: Any) -> bool:
    """Whether a model is one that was taught to chat: by its name too, for many base models carry a chat template."""
    return bool(getattr(tokenizer, "chat_template", None)) and instruct_name(name)
