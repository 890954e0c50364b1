"""Posts that end a conversation and solve nothing: thanks, 'you are welcome', 'closing this', 'any update?'."""

import re

from rca_dist.tickets.cleaning.boilerplate import is_boilerplate
from rca_dist.tickets.cleaning.markup import strip_markup
from rca_dist.tickets.words import fold

_MOST_WORDS = 30
_LONGEST = 300
_WORD = re.compile(r"[^\W\d_]+")


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# A post is passed over when it has one of these words and all its other words are small talk.
_SIGNS = _words(
    "welcome pleasure glad happy thanks thank thx ty cheers closing close closed solved resolved update updates news "
    "confirm confirmed feedback anytime great perfect excellent awesome appreciated following bump regards "
    "merci remercie prie plaisir ravi ravie heureux cloture cloturer clos ferme fermer resolu nouvelles retour confirmer "
    "danke gerne gern bitte geschlossen schliesse schliessen erledigt gelost geloest freut ruckmeldung "
    "gracias nada gusto cierro cerrar cerrado resuelto novedades obrigado obrigada disponha fechando fechado resolvido "
    "grazie prego piacere chiudo chiuso risolto bedankt dank graag sluiten gesloten opgelost"
)
_SMALL_TALK = _SIGNS | _words(
    "a again all already also always am an and any anything are as at be been before but by can care case confirmation could "
    "day did do does done else everyone evening everything feel fine for forward free from fully further get good had has "
    "have hear helped help helpful helps her here hey hi hello him hope i if in is issue it its just know let like locked "
    "locking long lot ll m many marking me mark more morning moment most much my need needed nice no not now of off ok okay on "
    "one open or other our out please pls post problem question questions rest re reopen reply resolve s sir so soon "
    "some someone sorry still sure team that the them then there thing this thread threads ticket till time to today too topic "
    "try us user very ve was we week weekend well were what whether will wish with work worked working works would yes you "
    "your yours "
    "de d je j vous m l le la les ce cette ces et en est on nous nouveau de bien beaucoup pour votre aide bonne journee "
    "soiree dossier incident demande sujet probleme un une mon ma n hesitez pas a si besoin autre c ca fonctionne marche "
    "maintenant rien tout tres bonjour cordialement le ticket question "
    "das ist der die ich wir sie ihnen ihr es nun jetzt hiermit damit vielen schonen schoenen tag noch fur fuer hilfe keine "
    "ursache problem thema frage anfrage wird kann werden mir uns mich auch hallo geschehen "
    "por de muchas el la los este esta con mucho su tu ayuda buen dia caso hola que te lo ya si algo mas tema "
    "muito o os esse este chamado bom ajuda sua seu voce ola mais alguma coisa "
    "il lo di per tuo tuoi aiuto buona giornata ciao nulla problema mille questo "
    "het een voor je u hulp geen gedaan dag nog veel fijne dit is hoi alles"
)


def says_nothing(post: str) -> bool:
    """True for a short post of thanks, courtesy or closing alone, in seven languages; 'Restart it, you are welcome' is none."""
    if len(post) > _LONGEST:
        return False
    if "<" in post:
        post = strip_markup(post)
    if is_boilerplate(post):
        return True
    words = _WORD.findall(fold(post))
    talk = len(words) <= _MOST_WORDS and not _SIGNS.isdisjoint(words) and _SMALL_TALK.issuperset(words)
    return talk or not words  # '+1'
