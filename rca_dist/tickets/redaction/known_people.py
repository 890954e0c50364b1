"""The people that an export's columns name (caller, assigned to...): what they are called in the texts of their ticket."""

import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import NamedTuple

from rca_dist.tickets.redaction.accounts import is_nobody, looks_like_login
from rca_dist.tickets.redaction.base import words_of
from rca_dist.tickets.redaction.no_names import COMMON_NAME, NO_NAME
from rca_dist.tickets.redaction.people import is_east_asian_team
from rca_dist.tickets.words import fold

# Words of tickets that are names of people too: they do not make a team of "Will Page", and are not looked for alone.
_BOTH = words_of("april may june august will can case page day watson branch low high hall lead best city march dr prof mr")
_TITLES = words_of("mr mrs ms miss mx dr prof mme mlle m herr frau hr fr sr sra dott sig ext extern external externe")
_NO_PERSON = words_of("svc service srv sa bot api app adm sys batch test tst job robot system integration mid daemon cron")
_MAIL = re.compile(r"<?\b([\w.+'-]{1,64})@[\w.-]{1,255}>?")
_ASIDE = re.compile(r"[(\[<{]([^()\[\]<>{}]{0,60})[)\]>}]")
_NAME_WORD = re.compile(r"[^\W\d_](?:[^\W\d_]|['\u2019.-](?=[^\W\d_]))*\.?")
_LOGIN = re.compile(r"[A-Za-z][\w.-]{2,38}")
_EAST_ASIAN = re.compile("[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]{2,8}")
_LONGEST, _MOST_WORDS = 120, 5


# What exports call the columns that hold a person, without accents.
_PEOPLE_COLUMNS = words_of(
    "caller caller_id caller_name caller_email requester requester_name requester_email requestor requested_by requested_for "
    "customer_name contact contact_name contact_email affected_user affected_person user user_name username user_email "
    "opened_by created_by sys_created_by submitter submitted_by reported_by reporter raised_by creator logged_by author "
    "updated_by sys_updated_by last_updated_by assigned_to assignee assigned_agent agent agent_name owner ticket_owner "
    "resolved_by closed_by technician technician_name operator watchers watch_list manager approver employee employee_name "
    "demandeur nom_du_demandeur appelant beneficiaire utilisateur ouvert_par cree_par signale_par attribue_a assigne_a "
    "technicien resolu_par ferme_par auteur responsable melder anrufer antragsteller erstellt_von geoffnet_von gemeldet_von "
    "bearbeiter zugewiesen_an gelost_von geschlossen_von benutzer autor vorgangsverantwortlicher solicitante abierto_por "
    "creado_por asignado_a tecnico resuelto_por informador responsable usuario richiedente aperto_da creato_da assegnato_a "
    "risolto_da segnalatore assegnatario utente aberto_por criado_por atribuido_a relator resolvido_por utilizador "
    "aanvrager aanmelder geopend_door aangemaakt_door toegewezen_aan behandelaar gebruiker"
)
_WRAPPED = re.compile(r"^(?:u|custom field|fields|ticket|incident) | (?:display ?value|display ?name|name|email|value)$")


def people_columns(columns: Iterable[str]) -> list[str]:
    """The columns of an export that hold a person by their name: `Caller`, `u_requested_for`, `assigned_to.display_value`."""

    def plain(name: str) -> str:
        return re.sub(r"[\W_]+", " ", fold(name[:100])).strip()

    return [name for name in columns if {plain(name), _WRAPPED.sub("", _WRAPPED.sub("", plain(name)))} & _PEOPLE_COLUMNS]


class Known(NamedTuple):
    """One way in which a text may speak of a person: placeholder kind, what it stands for, a mark that stands in any
    text (lower case) that holds it, its pattern (compiled when a text has the mark: most have not)."""

    kind: str
    whole: str
    mark: str
    pattern: str
    any_case: bool = True


def known(values: Iterable[str]) -> tuple[Known, ...]:
    """All ways for the values of a ticket's people columns, full names first."""
    found = {form: None for value in values for form in _forms(value.strip()) if value.strip()}
    return tuple(sorted(found, key=lambda form: (form.kind == "PERSON" and not form.any_case, -len(form.whole))))


@lru_cache(maxsize=8192)
def _forms(value: str) -> tuple[Known, ...]:
    """The ways for one cell: `Jane Roe`, `Roe, Jane`, `jroe`, `Jane Roe (jroe)`, a mail address, or several with `;`."""
    if len(value) > _LONGEST:
        return ()
    if _EAST_ASIAN.fullmatch(value):
        return () if is_east_asian_team(value) else (Known("PERSON", value, value, re.escape(value)),)
    if re.search(r"[;\n|]", value):
        return tuple(form for part in re.split(r"[;\n|]", value)[:8] for form in _forms(part.strip()))
    logins = [mail[1] for mail in _MAIL.finditer(value)]
    rest = _MAIL.sub(" ", value)
    asides = [aside[1].strip() for aside in _ASIDE.finditer(rest)]
    rest = _ASIDE.sub(" ", rest).strip(" ,-")
    if "\\" in rest and " " not in rest:
        rest = rest.rpartition("\\")[2]
    words = _name_words(rest)
    if not words and rest and " " not in rest:
        logins.append(rest)
    elif rest and not words:
        return ()  # a team, a system account, a number
    for login in logins:
        words = words or _name_words(" ".join(part for part in re.split(r"[._]", login) if part), least=2)
    stems = [word.casefold()[:4] for word in words if len(word) >= 3]
    logins += [aside for aside in asides if any(stem in aside.casefold() for stem in stems) or looks_like_login(aside)]
    if len(words) >= 2:
        logins += _usual_logins(words)
    return (*_of_name(words), *(_of_login(login) for login in dict.fromkeys(logins) if _is_login(login)))


def _name_words(text: str, least: int = 1) -> list[str]:
    """The words of a person's name; [] for a team, a system, one word in lower case (a login)."""
    parts = text.replace(",", " ").split()
    if "," in text and not text.rstrip().endswith(","):  # 'Roe, Jane'
        family = text.partition(",")[0].split()
        parts = parts[len(family) :] + family
    words = [part for part in parts if part.lower().strip(".") not in _TITLES or (part[1:2] != "." and len(parts) == 1)]
    if not least <= len(words) <= _MOST_WORDS or text.count(",") > 1 or not all(map(_NAME_WORD.fullmatch, words)):
        return []
    lowered = [word.lower().strip(".") for word in words]
    if any((word in NO_NAME and word not in _BOTH) or word in _NO_PERSON for word in lowered):
        return []
    if len(words) == 1 and (lowered[0] in NO_NAME or is_nobody(lowered[0])):
        return []
    if max(map(len, words)) < 3 or (len(words) == 1 and (least > 1 or not words[0][0].isupper() or looks_like_login(words[0]))):
        return []
    return words if len(words) > 1 or words[0][1:].islower() else []


def _of_name(words: list[str]) -> tuple[Known, ...]:
    if not words:
        return ()
    whole = " ".join(words)
    alone = [word for word in words if _stands_alone(word)]
    forms = [Known("PERSON", whole, word.casefold(), _alone(word), any_case=False) for word in alone]
    if len(words) > 1:
        long = max(words, key=len)
        forms.append(Known("PERSON", whole, long.casefold(), _together(words)))
    return tuple(forms)


def _together(words: list[str]) -> str:
    """The full name, in the order given and with the last or the first word moved to the other end; initials too."""

    def run(order: list[str]) -> str:
        return r"[ \t,\u00a0]{1,3}".join(map(re.escape, order))

    first, last = re.escape(words[0]), re.escape(words[-1])
    orders = [words, [words[-1], *words[:-1]], [*words[1:], words[0]]]
    runs = list(dict.fromkeys(map(run, orders)))
    if len(words) == 2 and len(words[0]) > 1 and len(words[1]) > 2:
        runs += [rf"{re.escape(words[0][0])}\.?[ \t]{last}", rf"{first}[ \t]{re.escape(words[1][0])}\."]
    return rf"(?<![\w<.@\\/-])(?:{'|'.join(runs)})(?![\w>@]|-\w)"


def _stands_alone(word: str) -> bool:
    lowered = word.lower()
    return len(word) >= 3 and "." not in word and lowered not in NO_NAME and lowered not in COMMON_NAME


def _alone(word: str) -> str:
    spelt = {word.title() if word.isupper() or word.islower() else word, word.upper()}
    genitive = "s?" if len(word) >= 4 else ""
    return rf"(?<![\w<.@\\/-])(?:{'|'.join(map(re.escape, sorted(spelt)))}){genitive}(?![\w>@]|-\w|\.\w)"


def _usual_logins(words: list[str]) -> list[str]:
    """`jane.roe`, `jroe`, `roej`: logins that firms make of a name."""
    first, last = words[0].casefold().strip("."), words[-1].casefold().strip(".")
    made = [f"{first}.{last}", f"{last}.{first}", f"{first}_{last}"]
    if len(last) >= 5 and last not in NO_NAME:
        made += [first[0] + last, last + first[0]]
    if len(first) >= 5 and first not in NO_NAME:
        made += [last[0] + first]
    return [login for login in made if login.isascii()]


def _is_login(login: str) -> bool:
    parts = [part.rstrip("0123456789") for part in re.split(r"[._-]", login.lower())]
    if not _LOGIN.fullmatch(login) or is_nobody(login) or any(part in NO_NAME or part in _NO_PERSON for part in parts):
        return False
    return len(login) >= 4 or looks_like_login(login)


def _of_login(login: str) -> Known:
    return Known("USER", login.casefold(), login.casefold(), rf"(?<![\w<.@-]){re.escape(login)}(?![\w>@-]|\.\w)")


def aliases(forms: Iterable[Known]) -> dict[str, str]:
    """What one word of a name stands for ('roe' for 'jane roe', words sorted); not for a word that two people share."""
    owners: dict[str, set[str]] = {}
    for form in forms:
        if form.kind == "PERSON":
            whole = " ".join(sorted(form.whole.casefold().split()))
            for word in whole.split():
                owners.setdefault(word, set()).add(whole)
    return {word: min(wholes) for word, wholes in owners.items() if len(wholes) == 1}


@lru_cache(maxsize=4096)
def _compiled(pattern: str, any_case: bool) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE if any_case else 0)


def replace_known(text: str, forms: Iterable[Known], placeholder: Callable[[str, str], str]) -> str:
    """Text with every way of naming these people replaced by `placeholder(kind, person)`."""
    lowered = text.casefold()
    for form in forms:
        if form.mark in lowered:
            text = _compiled(form.pattern, form.any_case).sub(lambda match, form=form: placeholder(form.kind, form.whole), text)  # type: ignore[misc]
    return text
