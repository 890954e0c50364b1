"""People's names in running text, by a language model: the optional extra `[pii]` (presidio-analyzer on spaCy).

Nothing is fetched while this runs. A missing package or model is an error that says how to install it.
"""

import functools
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from rca_dist.errors import UserError

# The small spaCy pipelines of the languages that tickets are recognised in (`language.detect_language`).
DEFAULT_MODELS = {
    "en": "en_core_web_sm", "fr": "fr_core_news_sm", "de": "de_core_news_sm", "es": "es_core_news_sm", "it": "it_core_news_sm",
    "pt": "pt_core_news_sm", "nl": "nl_core_news_sm",
}  # fmt: skip
LEAST_SCORE = 0.5
_LONGEST = 100_000  # characters handed to the model at once; spaCy refuses a million
_PACKAGES = "pip install 'rca-dist[pii]'"


@functools.lru_cache(maxsize=1)
def _loaded(models: tuple[str, ...] | tuple[tuple[str, str], ...]) -> "NameFinder":
    pairs = [item for item in models if isinstance(item, tuple)]
    return NameFinder(dict(pairs) if pairs else [str(item) for item in models])


def name_finder(languages: Iterable[str] | Mapping[str, str]) -> "NameFinder | None":
    """The finder for these languages, loaded once per process; None for no language. Raises UserError as NameFinder does."""
    key = tuple(sorted(languages.items())) if isinstance(languages, Mapping) else tuple(languages)
    return _loaded(key) if key else None


class NameFinder:
    """Finds the names of people with one spaCy pipeline per language, through presidio's analyzer.

    `languages` is a list of language codes (`["en", "fr"]`, the small spaCy pipelines) or a map from code to the name of
    an installed pipeline or the folder of a saved one. Pipelines load here, once. Texts in another language, or in none,
    go to the first language. Places and organisations are left alone: they are signal, and models confuse them with
    products. Raises UserError when a package or a pipeline is missing or a language is unknown.
    """

    def __init__(self, languages: Iterable[str] | Mapping[str, str]) -> None:
        self.models = _models(languages)
        self._first = next(iter(self.models))
        self._analyzer = _analyzer(self.models)

    def find(self, text: str, language: str | None = None) -> list[tuple[int, int, str]]:
        """The (start, end, "PERSON") of the names in a text, in order and without overlap."""
        chosen = language if language in self.models else self._first
        spans: list[tuple[int, int, str]] = []
        for offset, piece in _pieces(text):
            found = self._analyzer.analyze(piece, language=chosen, entities=["PERSON"], score_threshold=LEAST_SCORE)
            spans += [(offset + result.start, offset + result.end, "PERSON") for result in found]
        return _apart(spans)

    def __reduce__(self) -> tuple[type["NameFinder"], tuple[dict[str, str]]]:
        """A worker process loads the pipelines anew: they do not travel."""
        return NameFinder, (self.models,)


def _models(languages: Iterable[str] | Mapping[str, str]) -> dict[str, str]:
    if isinstance(languages, Mapping):
        models = {str(code): str(name) for code, name in languages.items()}
    else:
        codes = list(languages)
        if unknown := [code for code in codes if code not in DEFAULT_MODELS]:
            raise UserError(
                f"no spaCy pipeline is known for language {unknown[0]!r}; known: {', '.join(sorted(DEFAULT_MODELS))}; "
                "or name an installed pipeline or a folder for it"
            )
        models = {code: DEFAULT_MODELS[code] for code in codes}
    if not models:
        raise UserError("names are to be redacted, but no language is given; name at least one, such as en")
    return models


def _analyzer(models: Mapping[str, str]) -> Any:
    try:
        import spacy
        from presidio_analyzer import AnalyzerEngine, RecognizerRegistry
        from presidio_analyzer.nlp_engine import NerModelConfiguration, SpacyNlpEngine
        from presidio_analyzer.predefined_recognizers import SpacyRecognizer
    except ImportError as error:
        raise UserError(
            f"names are to be redacted, but the package {error.name or 'presidio-analyzer'} is missing; install it and "
            f"the language models: {_PACKAGES} && python -m spacy download {next(iter(models.values()))}"
        ) from error
    for code, name in models.items():
        # presidio would download a model that is not there.
        if not spacy.util.is_package(name) and not (Path(name) / "meta.json").is_file():
            raise UserError(
                f"the spaCy pipeline {name!r} for language {code!r} is not installed and is no folder of a saved pipeline; "
                f"install it: {_PACKAGES} && python -m spacy download {name}"
            )
    configuration = NerModelConfiguration(
        model_to_presidio_entity_mapping={"PER": "PERSON", "PERSON": "PERSON"}, default_score=0.85, labels_to_ignore=[]
    )
    engine = SpacyNlpEngine(
        models=[{"lang_code": code, "model_name": name} for code, name in models.items()], ner_model_configuration=configuration
    )
    try:
        engine.load()
    except Exception as error:  # a saved pipeline of another spaCy version, a broken folder: many types
        raise UserError(f"cannot load the spaCy pipelines {', '.join(models.values())}: {error}") from error
    # The registry holds the model's recogniser alone: presidio's own patterns would look for e-mail domains on the net.
    recognizers = [SpacyRecognizer(supported_language=code, supported_entities=["PERSON"]) for code in models]
    registry = RecognizerRegistry(recognizers=recognizers, supported_languages=list(models))
    return AnalyzerEngine(registry=registry, nlp_engine=engine, supported_languages=list(models))


def _pieces(text: str) -> Iterable[tuple[int, str]]:
    """Cut a long text at spaces into (offset, piece)."""
    start = 0
    while start < len(text):
        end = start + _LONGEST
        if end < len(text):
            end = max(text.rfind(" ", start + _LONGEST // 2, end), start + _LONGEST // 2)
        yield start, text[start:end]
        start = end


def _apart(spans: list[tuple[int, int, str]]) -> list[tuple[int, int, str]]:
    apart: list[tuple[int, int, str]] = []
    for span in sorted(spans, key=lambda span: (span[0], -span[1])):
        if not apart or span[0] >= apart[-1][1]:
            apart.append(span)
    return apart
