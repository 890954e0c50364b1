"""The words by which exports of posts say who writes (asker, helper) and which reply is the solution."""

import re
from collections import Counter

from rca_dist.tickets.mapping.column_names import name_forms
from rca_dist.tickets.words import fold

QUESTION, ANSWER = "question", "answer"


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_QUESTION_WORDS = _words(
    "question q ask asker post topic thread ticket request requester requestor requestee reporter caller customer client user "
    "end-user enduser human author op demande demandeur demandeuse utilisateur usager appelant auteur anfrage frage kunde "
    "melder anwender benutzer pregunta solicitante cliente usuario pergunta domanda richiedente utente vraag klant prompt "
    "incoming inbound issue problem"
)
_ANSWER_WORDS = _words(
    "answer a reply response agent assistant technician tech support staff helpdesk servicedesk operator analyst engineer "
    "expert resolver moderator bot gpt model solution resolution comment employee reponse technicien technicienne agente "
    "intervenant antwort loesung losung techniker bearbeiter mitarbeiter respuesta tecnico resposta risposta antwoord "
    "medewerker completion outgoing outbound accepted"
)
_YES = _words(
    "true t yes y 1 1.0 x vrai oui o ja j wahr si s sim verdadero vero accepted accept acceptee resolve resolved solved "
    "solution best checked correct final marked \u2713 \u2714 \u2705"
)
_NO = _words("false f no n 0 0.0 faux non nein falsch nao falso none null nan - open unresolved")
_NOT_WORD = re.compile(r"[\W_]+")
_ROLE_NAMES = frozenset(
    {"role", "post type", "posttype", "post type id", "message type", "author type", "author role", "sender", "sender type",
     "type", "kind", "speaker", "from", "direction", "user type", "actor", "emetteur"}
)  # fmt: skip
_PARENT_NAMES = frozenset(
    {"parent", "parent id", "parent post", "parent post id", "parent message id", "question id", "thread", "thread id",
     "topic", "topic id", "conversation id", "in reply to", "in reply to id", "reply to", "reply to id", "root id",
     "ticket id", "question", "discussion id"}
)  # fmt: skip
_ACCEPTED_NAMES = frozenset(
    {"accepted", "is accepted", "accepted answer", "accepted answer id", "is solution", "solution", "is answer", "resolve",
     "resolved", "is resolved", "best", "is best", "best answer", "is best answer", "best reply", "best response",
     "marked as answer", "marked answer", "marked as solution", "marked as best", "chosen", "chosen answer", "selected answer",
     "verified answer", "correct", "correct answer", "is correct", "solved", "acceptee", "meilleure reponse",
     "solution retenue", "beste antwort", "akzeptiert", "mejor respuesta", "aceptada", "melhor resposta", "aceita",
     "migliore risposta",
     "accettata", "beste antwoord", "geaccepteerd"}
)  # fmt: skip


def role_of(value: str) -> str:
    """'question' or 'answer' for the value of a role column; '' when the word is not known."""
    plain = fold(value[:60]).strip()
    if plain.removesuffix(".0") in ("1", "2"):  # how Stack Exchange numbers its post types
        return QUESTION if plain[0] == "1" else ANSWER
    words = [plain, *_NOT_WORD.sub(" ", plain).split()]
    for word in words:
        if word in _QUESTION_WORDS or word in _ANSWER_WORDS:
            return QUESTION if word in _QUESTION_WORDS else ANSWER
    return ""


def flag_of(value: str) -> bool | None:
    """True or False for a yes/no cell (an empty one is no); None when it is neither."""
    plain = fold(value[:40]).strip()
    return True if plain in _YES else False if not plain or plain in _NO else None


def is_role_column(cells: list[str]) -> bool:
    """True when the column's values are few, nearly all say who writes, and both sides occur."""
    values = Counter(cell.strip() for cell in cells[:5000] if cell.strip())
    if not 2 <= len(values) <= 20:
        return False
    roles = Counter[str]()
    for value, count in values.items():
        roles[role_of(value)] += count
    return min(roles[QUESTION], roles[ANSWER]) > 0 and roles[""] * 10 <= values.total()


def _named(columns: dict[str, list[str]], wanted: frozenset[str]) -> list[str]:
    return [column for column in columns if not wanted.isdisjoint(name_forms(column))]


def parent_columns(columns: dict[str, list[str]]) -> list[str]:
    """Columns whose name says that they hold the id of the question or of the post replied to."""
    return _named(columns, _PARENT_NAMES)


def role_columns(columns: dict[str, list[str]]) -> list[str]:
    """Columns whose name and values say who writes."""
    return [column for column in _named(columns, _ROLE_NAMES) if is_role_column(columns[column])]


def accepted_columns(columns: dict[str, list[str]]) -> list[str]:
    """Columns whose name says which reply is the solution, and whose cells are flags or ids, not text."""
    found = _named(columns, _ACCEPTED_NAMES)
    return [column for column in found if _marks(columns[column][:2000])]


def _marks(cells: list[str]) -> bool:
    return any(cell.strip() for cell in cells) and all(len(cell) <= 64 and "\n" not in cell for cell in cells)
