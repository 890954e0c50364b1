"""How a ticket becomes a prompt, and how text becomes ids without ever becoming control."""

import itertools
import re
from dataclasses import dataclass
from typing import Any

MARKER = "{ticket}"
# Texts to encode another one behind; the first that does not melt into it is used.
ANCHORS = ("\n", "|", "x")


@dataclass(frozen=True)
class PromptFormat:
    """Fixed text around a ticket. The ticket itself is never formatted or parsed: braces in it stay text.

    `chat`: header and footer come from a chat template, so markers in them are control tokens and a BOS is already there;
    `end_id` is the token with which its answers end, None for the tokenizer's end of text.
    """

    header: str
    footer: str
    chat: bool = False
    end_id: int | None = None

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

    def around(self, tokenizer: Any, eos_id: int) -> tuple[list[int], list[int]]:
        """Ids before and after the ticket, BOS included where the tokenizer or the chat template puts one."""
        spaced = puts_space_first(tokenizer)
        # There a space belongs to the word after it: `encode_after` gives it to the ticket or the answer.
        header, footer = (text.removesuffix(" ") if spaced else text for text in (self.header, self.footer))
        bos = [tokenizer.bos_token_id] if not self.chat and starts_with_bos(tokenizer) else []
        header_ids = encode_after(tokenizer, "", [header], control=self.chat)[0] if header else []
        footer_ids = encode_after(tokenizer, "x", [footer], control=self.chat)[0] if footer else []
        before = bos + header_ids
        # An empty prompt has no position to predict the first answer token from.
        return before, footer_ids if before or footer_ids else [eos_id]


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


def encode_after(tokenizer: Any, before: str, texts: list[str], *, control: bool = False) -> list[list[int]]:
    """Ids of texts that follow `before`; with `control` markers in them become control tokens.

    A SentencePiece-like tokenizer puts a space before every text it is given. That is right after a space and at the very
    start; elsewhere the text is encoded behind another one, whose ids are then taken away.
    """

    def plain(parts: list[str]) -> list[list[int]]:
        if control:
            return [list(tokenizer(part, add_special_tokens=False)["input_ids"]) for part in parts]
        return encode_plain(tokenizer, parts)

    if not before or before.endswith(" ") or not puts_space_first(tokenizer):
        return plain(texts)
    out: dict[int, list[int]] = {}
    for anchor in ANCHORS:
        start = plain([anchor])[0]
        rest = [n for n in range(len(texts)) if n not in out]
        for n, ids in zip(rest, plain([anchor + texts[n] for n in rest]), strict=True):
            if ids[: len(start)] == start:
                out[n] = ids[len(start) :]
    return [out[n] if n in out else plain([text])[0] for n, text in enumerate(texts)]


def puts_space_first(tokenizer: Any) -> bool:
    """Whether a space is put before every text, as SentencePiece models do."""
    if getattr(tokenizer, "_rca_space_first", None) is None:
        first = tokenizer.convert_ids_to_tokens(tokenizer("a", add_special_tokens=False)["input_ids"][:1])
        tokenizer._rca_space_first = bool(first) and first[0].startswith("\u2581")
    return bool(tokenizer._rca_space_first)


def control_tokens(tokenizer: Any) -> dict[str, int]:
    """Text -> id of the added tokens that must never come out of a ticket.

    These are the special ones and those written like markup. Other added tokens (runs of spaces or line ends in some
    vocabularies) are ordinary text; the unknown token is what any odd character becomes, unless it also ends texts (GPT-2).
    """
    out = {}
    odd = {tokenizer.unk_token_id} - {tokenizer.eos_token_id, tokenizer.bos_token_id}
    for number, token in getattr(tokenizer, "added_tokens_decoder", {}).items():
        text = token.content
        markup = len(text) > 2 and text[0] in "<[" and text[-1] in ">]"
        if (token.special or markup) and len(text) > 1 and number not in odd:
            out[text] = number
    return out


def _encode_in_pieces(tokenizer: Any, text: str, pattern: re.Pattern[str], control: set[int]) -> list[int]:
    cuts = [0, *(match.start() + 1 for match in pattern.finditer(text)), len(text)]
    pieces = [text[a:b] for a, b in itertools.pairwise(cuts) if a < b]
    out: list[int] = []
    for n, piece in enumerate(pieces):
        ids = encode_after(tokenizer, "x" if n else "", [piece], control=True)[0]
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
