"""How a ticket becomes a prompt, and how text becomes ids without ever becoming control."""

import itertools
import re
from dataclasses import dataclass
from typing import Any

MARKER = "{ticket}"


@dataclass(frozen=True)
class PromptFormat:
    """Fixed text around a ticket. The ticket itself is never formatted or parsed: braces in it stay text."""

    header: str
    footer: str

    @classmethod
    def from_template(cls, template: str) -> "PromptFormat":
        """Split `template` at its one `{ticket}` marker. Raises: ValueError when the marker is not there once."""
        if template.count(MARKER) != 1:
            raise ValueError(f"prompt.template must hold {MARKER} exactly once, found {template.count(MARKER)}")
        header, footer = template.split(MARKER)
        return cls(header, footer)

    def text(self, ticket: str) -> str:
        """The whole prompt as readable text."""
        return self.header + ticket + self.footer


def encode_plain(tokenizer: Any, texts: list[str]) -> list[list[int]]:
    """Ids of each text, without special tokens; markers such as `<|im_end|>` in a text stay ordinary characters.

    Tokenizers replace their added tokens wherever the characters appear, so a ticket could end a turn or an answer.
    Texts in which that happened are encoded again in pieces cut inside each marker.
    """
    if not texts:
        return []
    encoded: list[list[int]] = tokenizer(texts, add_special_tokens=False, return_attention_mask=False)["input_ids"]
    control = control_tokens(tokenizer)
    if not control:
        return encoded
    ids = set(control.values())
    pattern = re.compile("|".join(re.escape(text) for text in sorted(control, key=len, reverse=True)))
    for n, found in enumerate(encoded):
        if not ids.isdisjoint(found):
            encoded[n] = _encode_in_pieces(tokenizer, texts[n], pattern, ids)
    return encoded


def control_tokens(tokenizer: Any) -> dict[str, int]:
    """Text -> id of the added tokens that must never come out of a ticket.

    These are the special ones and those written like markup. Other added tokens (runs of spaces or line ends in some
    vocabularies) are ordinary text; the unknown token is what any odd character becomes.
    """
    out = {}
    for number, token in getattr(tokenizer, "added_tokens_decoder", {}).items():
        text = token.content
        markup = len(text) > 2 and text[0] in "<[" and text[-1] in ">]"
        if (token.special or markup) and len(text) > 1 and number != tokenizer.unk_token_id:
            out[text] = number
    return out


def _encode_in_pieces(tokenizer: Any, text: str, pattern: re.Pattern[str], control: set[int]) -> list[int]:
    cuts = [0, *(match.start() + 1 for match in pattern.finditer(text)), len(text)]
    pieces = [text[a:b] for a, b in itertools.pairwise(cuts) if a < b]
    out: list[int] = []
    for piece in pieces:
        ids = tokenizer(piece, add_special_tokens=False)["input_ids"]
        if not control.isdisjoint(ids):
            # A normalising tokenizer can still join characters into a marker: fall back to one character at a time.
            ids = [i for char in piece for i in tokenizer(char, add_special_tokens=False)["input_ids"] if i not in control]
        out.extend(ids)
    return out


def starts_with_bos(tokenizer: Any) -> bool:
    """Whether this tokenizer puts its BOS token before a text by itself."""
    if tokenizer.bos_token_id is None:
        return False
    ids = tokenizer("a")["input_ids"]
    return bool(ids) and ids[0] == tokenizer.bos_token_id
