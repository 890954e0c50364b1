"""Which language a ticket is written in: by script, by its function words, else by a trained model; 'und' for too little."""

import re
import unicodedata
from functools import cache
from typing import Any

LEAST_LETTERS = 20
_LEAST_OF_OTHER_SCRIPTS = 6
_LOOKED_AT = 600
_SHOWN_TO_MODEL = 200
_LEAST_CONFIDENCE = 0.4
_TOKEN = re.compile(r"[^\W\d_]+")
# Scripts that name the language by themselves; the model chooses among the languages of the others.
_SCRIPTS = {
    "el": "\u0370-\u03ff\u1f00-\u1fff",
    "he": "\u0590-\u05ff",
    "th": "\u0e00-\u0e7f",
    "ko": "\u1100-\u11ff\uac00-\ud7af",
    "ja": "\u3040-\u30ff",
    "zh": "\u3400-\u4dbf\u4e00-\u9fff",
    "hi": "\u0900-\u097f",
    "ru": "\u0400-\u04ff",
    "ar": "\u0600-\u06ff\u0750-\u077f",
}
_SHARED_SCRIPTS = {"ru": {"ru", "uk", "bg", "sr"}, "ar": {"ar", "fa", "ur"}}
_OF_SCRIPT = {language: re.compile(f"[{letters}]") for language, letters in _SCRIPTS.items()}
_LISTS = {
    "en": "the of and to is in that it for was on are with as be this have not from at by we has you when after my i "
    "please our cannot can been there an they unable will your but which were all does",
    "fr": "le la les de des du et est un une dans que pour pas sur qui avec au aux ne je nous vous il elle ce cette "
    "mon ma mes son sa ses depuis lors plus par bonjour merci mais se sont avons votre notre suite a lorsque",
    "de": "der die das und ist nicht ein eine einen den dem des zu mit auf im in von wir ich sie er es bei nach wird "
    "wurde haben hat kann bitte seit mein keine auch als aus sich werden oder wenn",
    "es": "el la los las de del y es en que un una no se por con para al lo su mi desde cuando ha hemos esta este "
    "pero como ya nos hay puede usuario hola gracias muy mas son",
    "pt": "o a os as de do da dos das e em um uma que n\u00e3o se por com para ao foi meu minha desde quando est\u00e1 "
    "este esta mas como j\u00e1 nos pode usu\u00e1rio ol\u00e1 obrigado no na ser s\u00e3o",
    "it": "il lo la i gli le di del della e \u00e8 in che un una non si per con al da su mi quando ho abbiamo questo "
    "questa ma come gi\u00e0 ci pu\u00f2 utente sono stato nel alla dopo",
    "nl": "de het een en is niet van in op met voor te dat die er aan zijn wij ik we hij bij naar wordt werd heeft "
    "hebben kan mijn geen ook als uit om maar sinds deze dit",
}
_OTHERS = ("pl", "sv", "cs", "da", "no", "fi", "ro", "tr", "hu", "ca", "sk", "hr", "ru", "uk", "bg", "sr", "ar", "fa", "ur")
_KNOWN = (*_LISTS, *_OTHERS)
_STOP_WORDS = {language: frozenset(words.split()) for language, words in _LISTS.items()}
_WEIGHT = {
    word: 1.0 / sum(word in others for others in _STOP_WORDS.values()) for words in _STOP_WORDS.values() for word in words
}


def detect_language(text: str) -> str:
    """ISO 639-1 code, or 'und': under 20 letters (6 in a script of its own), or no clear winner.

    Known: el he th ko ja zh hi by their script, ru uk bg sr ar fa ur, and en fr de es pt it nl pl sv cs da no fi ro tr hu ca
    sk hr. Looks at the first 600 characters.
    """
    text = text[:_LOOKED_AT]
    if not text.isascii():
        # Decomposed accents are no letters and would cut words in two.
        text = unicodedata.normalize("NFC", text)
        by_script = _by_script(text)
        if by_script:
            return by_script
    tokens = _TOKEN.findall(text.casefold())
    if sum(map(len, tokens)) < LEAST_LETTERS:
        return "und"
    return _by_function_words(tokens) or _by_model(" ".join(tokens), set(_KNOWN))


def _by_script(text: str) -> str | None:
    """The language of a text with a third of its letters and more in another script than Latin."""
    counts = {language: len(pattern.findall(text)) for language, pattern in _OF_SCRIPT.items()}
    letters = sum(counts.values())
    if letters < _LEAST_OF_OTHER_SCRIPTS or letters * 3 < sum(map(len, _TOKEN.findall(text))):
        return None
    if counts["ja"] * 10 >= counts["zh"] and counts["ja"]:
        counts["ja"] += counts["zh"]  # Japanese mixes kana into Chinese characters
    best = max(counts, key=lambda language: counts[language])
    if best not in _SHARED_SCRIPTS:
        return best
    found = _by_model(text, _SHARED_SCRIPTS[best])
    return best if found == "und" else found


def _by_function_words(tokens: list[str]) -> str | None:
    """A language whose function words are many, and twice as many as any other's.

    A word that several languages share counts for each by 1 / (number of languages that have it).
    """
    scores = {
        language: sum(_WEIGHT[token] for token in tokens if token in stop_words) for language, stop_words in _STOP_WORDS.items()
    }
    best, second = sorted(scores, key=lambda language: -scores[language])[:2]
    return best if scores[best] >= max(3.0, 0.08 * len(tokens), 2 * scores[second]) else None


def _by_model(text: str, among: set[str]) -> str:
    language, confidence = _model().classify(text[:_SHOWN_TO_MODEL])
    return language if confidence >= _LEAST_CONFIDENCE and language in among else "und"


@cache
def _model() -> Any:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    model = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    model.set_languages(_KNOWN)
    return model
