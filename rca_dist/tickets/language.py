"""Which of seven languages a ticket is written in, by its function words; 'und' when there is too little text."""

import re

LEAST_LETTERS = 20
_TOKEN = re.compile(r"[^\W\d_]+")
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
_STOP_WORDS = {language: frozenset(words.split()) for language, words in _LISTS.items()}
_WEIGHT = {
    word: 1.0 / sum(word in others for others in _STOP_WORDS.values()) for words in _STOP_WORDS.values() for word in words
}


def detect_language(text: str) -> str:
    """One of en fr de es pt it nl, or 'und': under 20 letters, too few function words, or a tie.

    A word that several languages share counts for each by 1 / (number of languages that have it).
    """
    tokens = _TOKEN.findall(text[:3000].casefold())
    if sum(map(len, tokens)) < LEAST_LETTERS:
        return "und"
    scores = {
        language: sum(_WEIGHT[token] for token in tokens if token in stop_words) for language, stop_words in _STOP_WORDS.items()
    }
    best, second = sorted(scores, key=lambda language: -scores[language])[:2]
    if scores[best] < max(1.0, 0.04 * len(tokens)) or scores[best] - scores[second] < 0.25:
        return "und"
    return best
