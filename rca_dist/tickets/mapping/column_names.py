"""Names that columns carry in ticket systems, by role, best first; matched after `normalise_name`.

`answer_names` holds the names of answers and journals, `slice_names` those of states, groups and slices.
"""

import re
from functools import lru_cache

from rca_dist.tickets.words import fold

_LONGEST = 200
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
# Jira's CSV heads a custom field so, in the language of the user who exports.
_CUSTOM_FIELD = re.compile(
    r"^(?:custom field|champs? personnalises?|benutzerdefiniertes feld|campo personali[sz]z?ado|campo personalizzato|"
    r"aangepast veld) ?\((.*)\)$"
)
_TYPE_SUFFIX = re.compile(r"\[\w+\]$")
_COPY_SUFFIX = re.compile(r"\.\d+$")
_VALUE_SUFFIX = re.compile(r"[\W_](?:display[_ ]?value|value)\]?$")
_NOT_WORD = re.compile(r"[\W_]+")
_PREFIX = re.compile(
    r"^(?:fields|label|ticket|incident|request|case|issue|problem|u|hpd|custom fields|cf|record|records|result|results|"
    r"data|attributes|properties|payload|source|item|doc|document|values|raw) (?=\w)"
)
_UMLAUT = re.compile(r"(?<=[aou])e(?=[a-z])")
# After such a prefix the name is another record's, or a person's: 'problem id' is no ticket id.
_NOT_SHORTENED = frozenset(
    {"problem id", "problem number", "problem key", "case owner", "source id", "document id", "item id", "record type"}
)


def split_words(name: str) -> str:
    """'rootCause' -> 'root Cause'; other names as they are."""
    return _CAMEL.sub(" ", name)


@lru_cache(maxsize=16384)
def normalise_name(name: str) -> str:
    """'Custom field (Root Cause)', 'root_cause.value', 'rootCause' and 'Root-Cause.1' all become 'root cause'."""
    text = _COPY_SUFFIX.sub("", name.strip()[:_LONGEST])
    text = _TYPE_SUFFIX.sub("", text).rstrip()
    text = fold(split_words(text))
    custom = _CUSTOM_FIELD.match(text)
    text = _VALUE_SUFFIX.sub("", custom.group(1) if custom else text)
    return _NOT_WORD.sub(" ", text).strip()


@lru_cache(maxsize=16384)
def name_forms(name: str) -> tuple[str, ...]:
    """The normalised name, the same without 'ticket', 'incident', 'fields'... in front, and with 'loesung' as 'losung'."""
    forms = [normalise_name(name)]
    while forms[-1] not in _NOT_SHORTENED and (shorter := _PREFIX.sub("", forms[-1])) != forms[-1]:
        forms.append(shorter)
    return tuple(dict.fromkeys([*forms, *(_UMLAUT.sub("", form) for form in forms)]))


def named_list(text: str) -> tuple[str, ...]:
    """The names of a comma-separated text, in order."""
    return tuple(dict.fromkeys(" ".join(name.split()) for name in text.split(",") if name.strip()))


ID = named_list(
    """number, key, id, ticket number, ticket no, incident number, ticket id, ticketid, request id, reference, ref,
    numero, numero de ticket, n ticket, n, cle, cle de ticket, nummer, ticketnummer, vorgangsschlussel, schlussel,
    vorgangsnummer, clave, clave de incidencia, numero de incidencia, chave, chave do item, numero do chamado, chamado,
    chiave, numero ticket, sleutel, meldingnummer, incidentnummer, no, num, ticket, entry id, sys id, uuid, identifiant,
    kennung, identificador, identificatore, unique id, row id"""
)
TITLE = named_list(
    """short description, brief description, title, titre, titel, titulo, titolo, subject, sujet, objet, betreff,
    kurzbeschreibung, asunto, assunto, oggetto, onderwerp, headline, ticket name, breve description, description breve,
    description courte, titre du ticket, breve descripcion, descripcion breve, descripcion corta, breve descricao,
    descricao resumida, descricao breve, descricao curta, breve descrizione, descrizione breve, korte omschrijving,
    korte beschrijving, intitule, libelle"""
)
DESCRIPTION = named_list(
    """detailed description, detailed decription, description text, full description, long description, description,
    beschreibung, descripcion, descricao, descrizione, omschrijving, beschrijving, description detaillee, description du
    probleme, description de l incident, description de la demande, problembeschreibung, fehlerbeschreibung, ausfuhrliche
    beschreibung, descripcion detallada, descripcion del problema, descricao detalhada, descricao do problema, descrizione
    dettagliata, descrizione del problema, probleemomschrijving, verzoek, body, content, contenu, inhalt, contenido,
    conteudo, contenuto, inhoud, details, detail, question, symptom, symptoms, symptome, sintoma, sintomi, user symptom,
    problem description, problem statement, problem, probleme, problema, external description, external desc, message,
    text, prompt, instruction, query, input, summary, resume, zusammenfassung, notes, issue, incident text,
    description html, body html, html body, demande"""
)
# When the long text has one of these names, a plain 'Description' beside it is the title (Remedy).
LONG_DESCRIPTION = frozenset(DESCRIPTION[:5])
# GLPI's API calls the title 'name'; elsewhere 'name' is a person.
GLPI_TITLE, GLPI_CONTENT = "name", "content"
# 'Summary' is the title in Jira and in Remedy's forms ('Notes' is the text there), a description in other systems.
SUMMARY = named_list("summary, resume, zusammenfassung, resumen, resumo, riepilogo, sommario, samenvatting")
CREATED = named_list(
    """opened at, opened, opened date, open date, open time, opened time, date opened, sys created on, created at, created
    on, created, created date, creation date, date creation, created time, creation time, created datetime, date created,
    submit date, submitted, submitted at, reported date, date reported, opening date,
    reported at, logged at, logged date, raised at,
    date d ouverture, date ouverture, ouvert le, ouvert, date de creation, cree le, creee le, cree, creee,
    date de la demande, erstellt am, erstellt, erstelldatum, erstellungsdatum, erfasst am, eroffnet, eroffnet am, geoffnet,
    geoffnet am, eroffnungsdatum, gemeldet am,
    fecha de creacion, fecha creacion, fecha de apertura, fecha apertura, creado, creada, abierto, abierto el,
    data de abertura, data abertura, data de criacao, criado em, criado, criada, aberto em, aberto,
    data di apertura, data apertura, data di creazione, data creazione, creato, creato il, creata, aperto, aperto il,
    aangemaakt, aangemaakt op, aanmaakdatum, datum aangemeld, aangemeld, geopend, geopend op,
    start time, event start time, start date, started at, date, datum, fecha, data, datetime, time, timestamp"""
)
RESOLVED = named_list(
    """resolved at, resolved, resolved date, resolved time, resolved on, date resolved, resolution date, resolutiondate,
    resolution time stamp, last resolved date, solved at, solved, solve date, solvedate, solved date, fixed at,
    closed at, closed, close date, closedate, closed date, closing
    date, closed time, close time, closed on, date closed, completed time,
    completed at, completed date, date de resolution, resolu le, resolu, resolue, date de cloture, date cloture, cloture le,
    date de fermeture, ferme le, ferme, gelost am, gelost, losungsdatum, erledigt, erledigt am, geschlossen am, geschlossen,
    abschlussdatum, abgeschlossen am, fecha de resolucion, fecha resolucion, fecha de solucion, resuelto, resuelta, fecha de
    cierre, fecha cierre, cerrado, data de resolucao, data de solucao, resolvido em, resolvido, data de encerramento,
    data de fechamento, fechado em, fechado, encerrado em, encerrado, data di risoluzione, data di soluzione, risolto,
    risolto il, data di chiusura, data chiusura, chiuso, chiuso il, opgelost, opgelost op, oplosdatum, gesloten, gesloten op,
    datum afgemeld, afgemeld, sluitingsdatum, end time, event end time, mitigated at"""
)
UPDATED = named_list(
    """sys updated on, updated at, updated on, updated, updated time, updated date, date updated, last updated, last updated
    time, last update, last modified, last modified date, modified, modified at, modified date, date mod,
    derniere modification, date de modification, derniere mise a jour, mise a jour, mis a jour, mis a jour le, geandert am,
    geandert, aktualisiert, aktualisiert am, zuletzt geandert, letzte anderung, fecha de actualizacion, ultima
    actualizacion, actualizado, actualizada, ultima modificacion, atualizado em, atualizado, atualizada, ultima atualizacao,
    data de atualizacao, ultima modifica, aggiornato, aggiornato il, ultimo aggiornamento, bijgewerkt, bijgewerkt op,
    gewijzigd, laatst gewijzigd, wijzigingsdatum"""
)
SPLIT = named_list("split, fold name, subset, partition")
