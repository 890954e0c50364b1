"""Names that columns carry in ticket systems, by role, best first; matched after `normalise_name`."""

import re

from rca_dist.tickets.words import fold

_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_CUSTOM_FIELD = re.compile(r"^custom field \((.*)\)$", re.IGNORECASE)
_TYPE_SUFFIX = re.compile(r"\s*\[\w+\]$")
_COPY_SUFFIX = re.compile(r"\.\d+$")
_NOT_WORD = re.compile(r"[\W_]+")
_PREFIX = re.compile(r"^(?:fields|label|ticket|incident|request|case|issue|problem|u|hpd|custom fields) (?=\w)")


def normalise_name(name: str) -> str:
    """'Custom field (Root Cause)', 'ticket_rootCause' and 'Root-Cause.1' become 'root cause' (prefixes left out)."""
    text = _TYPE_SUFFIX.sub("", _COPY_SUFFIX.sub("", name.strip()))
    custom = _CUSTOM_FIELD.match(text)
    return _NOT_WORD.sub(" ", fold(_CAMEL.sub(" ", custom.group(1) if custom else text))).strip()


def name_forms(name: str) -> list[str]:
    """The normalised name, and the same without the words 'ticket', 'incident', 'fields'... in front."""
    forms = [normalise_name(name)]
    while (shorter := _PREFIX.sub("", forms[-1])) != forms[-1]:
        forms.append(shorter)
    return forms


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


ID = _names(
    "number, key, id, ticket number, ticket no, incident number, reference, ref, numero, numero de ticket, nummer, "
    "ticketnummer, "
    "no, num, ticket, entry id, sys id, uuid, identifiant, kennung"
)
TITLE = _names(
    "short description, title, titre, titel, titulo, titolo, subject, sujet, objet, betreff, kurzbeschreibung, asunto, "
    "assunto, oggetto, onderwerp, headline"
)
DESCRIPTION = _names(
    "detailed description, detailed decription, description text, full description, long description, description, "
    "beschreibung, "
    "descripcion, descricao, descrizione, omschrijving, body, content, contenu, details, question, symptom, symptoms, "
    "user symptom, problem description, problem, external description, message, text, prompt, input, summary, resume, "
    "zusammenfassung, notes, issue"
)
# When the long text has one of these names, a plain 'Description' beside it is the title (Remedy).
LONG_DESCRIPTION = frozenset(DESCRIPTION[:5])
# GLPI's API calls the title 'name'; elsewhere 'name' is a person.
GLPI_TITLE, GLPI_CONTENT = "name", "content"
# 'Summary' is the title in Jira and a description in other systems.
SUMMARY = "summary"

ANSWER_TIERS = (
    frozenset(
        _names(
            "close notes, closing notes, closure notes, resolution notes, resolution note, resolution text, "
            "resolution description, "
            "resolution details, resolution comment, resolution comments, root cause text, root cause details, "
            "root cause detail, "
            "root cause description, root cause analysis, root cause analysis text, root cause notes, fix notes, "
            "fix description, "
            "cause notes, cause and action, solution content, solution text, solution description, solution details, "
            "solution solution, itilsolution content, resolution mitigation solution, notes de resolution, "
            "description de la solution, losungsbeschreibung, losungstext, notas de cierre, notas de resolucion, "
            "notas de resolucao, "
            "note di risoluzione, note di chiusura"
        )
    ),
    frozenset(
        _names(
            "root cause, rca, cause, resolution, solution, fix, cause racine, cause initiale, losung, losungen, "
            "ursache, grundursache, "
            "solucion, causa raiz, causa, resolucion, solucao, resolucao, soluzione, risoluzione, causa radice, "
            "oplossing, oorzaak, "
            "sap tab cause, saptab cause"
        )
    ),
    frozenset(
        _names(
            "answer, reponse, antwort, respuesta, resposta, risposta, antwoord, workaround, mitigation, mitigation "
            "details, "
            "contournement, resolution notes html, final answer, reply, response, target, output, completion, long "
            "term mitigation"
        )
    ),
)
# Journals and closing codes: written after the fix or no text, so never part of a prompt on their own accord.
NEVER_PROMPT = frozenset(
    _names(
        "work notes, comments, comment, comments and work notes, additional comments, close code, closure code, "
        "resolution code, "
        "status reason, suivis description, taches description, activity, worklog, work log, journal, conversation"
    )
)
CREATED = _names(
    "opened at, opened, opened date, open date, sys created on, created at, created on, created, created date, "
    "creation date, "
    "created time, creation time, created datetime, date created, submit date, submitted, reported date, reported at, "
    "date d ouverture, date ouverture, ouvert le, date de creation, date creation, cree le, erstellt am, erstellt, "
    "erstelldatum, "
    "eroffnet, eroffnet am, fecha de creacion, fecha creacion, fecha de apertura, creado, data de abertura, data "
    "de criacao, "
    "criado em, aberto em, data di apertura, data di creazione, data creazione, aangemaakt, aanmaakdatum, "
    "start time, event start time, date, datum, fecha, data, time, timestamp"
)
UPDATED = _names(
    "sys updated on, updated at, updated on, updated, last updated, last modified, last modified date, modified, "
    "date mod, "
    "derniere modification, date de modification, geandert am, aktualisiert, fecha de actualizacion, atualizado em, "
    "ultima modifica, resolved at, resolved, closed at, closed"
)
SPLIT = _names("split, fold name, subset, partition")
