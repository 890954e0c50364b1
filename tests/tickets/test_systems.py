"""One invented export in the form of each ticket system: every role is found with no flag."""

from typing import Any

import pytest

from rca_dist.tickets.columns import map_columns

N = 40
IDS = [f"INC{i:07d}" for i in range(N)]
HEX = [f"{i:02x}9f1c2b4d5e6f708192a3b4c5d6e7{i:02x}" for i in range(N)]
SPACED = [f"5 732 {i:03d}" for i in range(N)]
TITLES = [f"Mail client hangs on desk {i % 23}" for i in range(N)]
TEXTS = [f"Since this morning user {i} cannot open the mailbox, error 0x8004{i:04d} is shown" for i in range(N)]
ANSWERS = [f"Restarted the mail service on node {i} and cleared its stuck queue" for i in range(N)]
CAUSES = [f"The disk of node {i} was full after a failed log rotation" for i in range(N)]
JOURNAL = [f"2024-03-{i % 28 + 1:02d} 10:20:30 - Jane Roe (Work notes)\nLooked at node {i} again" for i in range(N)]
CODES = [["Solved (Permanently)", "Solved (Work Around)", "Not Solved (Not Reproducible)"][i % 3] for i in range(N)]
JIRA_CODES = [["Done", "Fixed", "Won't Do", "Duplicate"][i % 4] for i in range(N)]
STATES = ["6" if i % 3 else "7" for i in range(N)]
WORDS = ["Closed" if i % 3 else "Resolved" for i in range(N)]
OPENED = [f"2024-03-{i % 28 + 1:02d} 10:00:00" for i in range(N)]
SOLVED = [f"2024-04-{i % 28 + 1:02d} 11:00:00" for i in range(N)]
CHANGED = [f"2024-05-{i % 28 + 1:02d} 12:00:00" for i in range(N)]
KINDS = [["Network", "Mail", "Printing", "Access"][i % 4] for i in range(N)]
LEVELS = [str(i % 4 + 1) for i in range(N)]
GROUPS = [f"Team {i % 5}" for i in range(N)]
CHANNELS = ["Phone" if i % 2 else "Portal" for i in range(N)]
SERVICES = [f"Service {i % 6}" for i in range(N)]
PEOPLE = [f"Jane Roe{chr(97 + i % 26)}" for i in range(N)]
LINKS = [f"https://example.com/api/{i % 5}" for i in range(N)]

SYSTEMS: dict[str, tuple[dict[str, list[str]], dict[str, Any]]] = {
    "servicenow fields": (
        {"sys_id": HEX, "number": IDS, "short_description": TITLES, "description": TEXTS, "close_code": CODES,
         "close_notes": ANSWERS, "work_notes": JOURNAL, "comments": JOURNAL, "state": STATES, "opened_at": OPENED,
         "resolved_at": SOLVED, "closed_at": SOLVED, "sys_created_on": OPENED, "sys_updated_on": CHANGED, "caller_id": PEOPLE,
         "category": KINDS, "priority": LEVELS, "assignment_group": GROUPS, "contact_type": CHANNELS,
         "business_service": SERVICES, "reopen_count": ["0"] * N},
        {"id": "number", "prompt": ["short_description", "description"], "answers": ["close_notes"], "status": "state",
         "outcome": ["close_code"], "created_at": "opened_at", "resolved_at": "resolved_at", "updated_at": "sys_updated_on",
         "slices": ["category", "priority", "assignment_group", "contact_type", "business_service"],
         "journal": {"work_notes", "comments"}}),
    "servicenow references": (
        {"number.value": HEX, "number.display_value": IDS, "short_description.display_value": TITLES,
         "close_notes.display_value": ANSWERS, "assignment_group.display_value": GROUPS, "assignment_group.link": LINKS,
         "u_root_cause.display_value": [""] * N, "opened_at.display_value": OPENED},
        {"id": "number.display_value", "prompt": ["short_description.display_value"], "answers": ["close_notes.display_value"],
         "created_at": "opened_at.display_value", "slices": ["assignment_group.display_value"]}),
    "servicenow problem": (
        {"number": IDS, "short_description": TITLES, "cause_notes": CAUSES, "state": STATES, "opened_at": OPENED,
         "cause": KINDS},
        {"prompt": ["short_description"], "answers": ["cause_notes"]}),
    "servicenow labels": (
        {"Number": IDS, "Short description": TITLES, "Caller": PEOPLE, "Resolution code": CODES, "Resolution notes": ANSWERS,
         "Opened": OPENED, "Resolved": SOLVED, "Work notes": JOURNAL, "Assignment group": GROUPS, "State": WORDS},
        {"id": "Number", "prompt": ["Short description"], "answers": ["Resolution notes"], "created_at": "Opened",
         "resolved_at": "Resolved", "outcome": ["Resolution code"], "status": "State", "slices": ["Assignment group"]}),
    "servicenow labels fr": (
        {"Num\u00e9ro": IDS, "Br\u00e8ve description": TITLES, "Description": TEXTS, "Code de r\u00e9solution": CODES,
         "Notes de r\u00e9solution": ANSWERS, "Notes de travail": JOURNAL, "Ouvert": OPENED, "R\u00e9solu": SOLVED,
         "\u00c9tat": WORDS, "Groupe d'affectation": GROUPS},
        {"id": "Num\u00e9ro", "prompt": ["Br\u00e8ve description", "Description"], "answers": ["Notes de r\u00e9solution"],
         "created_at": "Ouvert", "resolved_at": "R\u00e9solu", "status": "\u00c9tat", "outcome": ["Code de r\u00e9solution"],
         "slices": ["Groupe d'affectation"], "journal": {"Notes de travail"}}),
    "servicenow labels de": (
        {"Nummer": IDS, "Kurzbeschreibung": TITLES, "Beschreibung": TEXTS, "L\u00f6sungscode": CODES,
         "L\u00f6sungshinweise": ANSWERS, "Arbeitsnotizen": JOURNAL, "Ge\u00f6ffnet": OPENED, "Gel\u00f6st": SOLVED,
         "Zuweisungsgruppe": GROUPS, "Priorit\u00e4t": LEVELS},
        {"id": "Nummer", "prompt": ["Kurzbeschreibung", "Beschreibung"], "answers": ["L\u00f6sungshinweise"],
         "created_at": "Ge\u00f6ffnet", "resolved_at": "Gel\u00f6st", "outcome": ["L\u00f6sungscode"],
         "slices": ["Priorit\u00e4t", "Zuweisungsgruppe"], "journal": {"Arbeitsnotizen"}}),
    "servicenow labels es": (
        {"N\u00famero": IDS, "Breve descripci\u00f3n": TITLES, "Descripci\u00f3n": TEXTS, "C\u00f3digo de resoluci\u00f3n": CODES,
         "Notas de resoluci\u00f3n": ANSWERS, "Notas de trabajo": JOURNAL, "Abierto": OPENED, "Resuelto": SOLVED,
         "Estado": WORDS, "Prioridad": LEVELS},
        {"id": "N\u00famero", "prompt": ["Breve descripci\u00f3n", "Descripci\u00f3n"], "answers": ["Notas de resoluci\u00f3n"],
         "created_at": "Abierto", "resolved_at": "Resuelto", "status": "Estado", "slices": ["Prioridad"]}),
    "servicenow labels pt": (
        {"N\u00famero": IDS, "Descri\u00e7\u00e3o resumida": TITLES, "Descri\u00e7\u00e3o": TEXTS,
         "Anota\u00e7\u00f5es de resolu\u00e7\u00e3o": ANSWERS, "Anota\u00e7\u00f5es de trabalho": JOURNAL, "Aberto": OPENED,
         "Resolvido": SOLVED, "Categoria": KINDS},
        {"prompt": ["Descri\u00e7\u00e3o resumida", "Descri\u00e7\u00e3o"], "created_at": "Aberto", "resolved_at": "Resolvido",
         "answers": ["Anota\u00e7\u00f5es de resolu\u00e7\u00e3o"], "slices": ["Categoria"]}),
    "servicenow labels it": (
        {"Numero": IDS, "Breve descrizione": TITLES, "Descrizione": TEXTS, "Note di risoluzione": ANSWERS, "Aperto": OPENED,
         "Risolto": SOLVED, "Stato": WORDS, "Gruppo di assegnazione": GROUPS},
        {"id": "Numero", "prompt": ["Breve descrizione", "Descrizione"], "answers": ["Note di risoluzione"],
         "created_at": "Aperto", "resolved_at": "Risolto", "status": "Stato", "slices": ["Gruppo di assegnazione"]}),
    "servicenow labels nl": (
        {"Nummer": IDS, "Korte omschrijving": TITLES, "Omschrijving": TEXTS, "Oplossingsnotities": ANSWERS,
         "Werknotities": JOURNAL, "Geopend": OPENED, "Opgelost": SOLVED, "Toewijzingsgroep": GROUPS, "Prioriteit": LEVELS},
        {"id": "Nummer", "prompt": ["Korte omschrijving", "Omschrijving"], "answers": ["Oplossingsnotities"],
         "created_at": "Geopend", "resolved_at": "Opgelost", "slices": ["Prioriteit", "Toewijzingsgroep"]}),
    "jira csv": (
        {"Summary": TITLES, "Issue key": IDS, "Issue id": SPACED, "Issue Type": KINDS, "Status": WORDS, "Priority": LEVELS,
         "Resolution": JIRA_CODES, "Assignee": PEOPLE, "Created": OPENED, "Updated": CHANGED, "Resolved": SOLVED,
         "Component/s": SERVICES, "Description": TEXTS, "Custom field (Root Cause)": KINDS,
         "Custom field (Root cause (text))": CAUSES, "Custom field (Time to resolution)": ["4h 12m"] * N, "Comment": JOURNAL},
        {"id": "Issue key", "prompt": ["Summary", "Description"], "answers": ["Custom field (Root cause (text))"],
         "created_at": "Created", "resolved_at": "Resolved", "updated_at": "Updated", "status": "Status",
         "outcome": ["Resolution"], "journal": {"Comment"}, "slices": ["Component/s", "Priority", "Issue Type"]}),
    "jira csv de": (
        {"Zusammenfassung": TITLES, "Vorgangsschl\u00fcssel": IDS, "Vorgangstyp": KINDS, "Status": WORDS,
         "L\u00f6sung": ["Erledigt"] * N, "Erstellt": OPENED, "Aktualisiert": CHANGED, "Beschreibung": TEXTS,
         "Benutzerdefiniertes Feld (Ursache)": CAUSES, "Kommentar": JOURNAL},
        {"id": "Vorgangsschl\u00fcssel", "prompt": ["Zusammenfassung", "Beschreibung"], "outcome": ["L\u00f6sung"],
         "answers": ["Benutzerdefiniertes Feld (Ursache)"], "created_at": "Erstellt", "updated_at": "Aktualisiert",
         "slices": ["Vorgangstyp"], "journal": {"Kommentar"}}),
    "jira json": (
        {"id": SPACED, "key": IDS, "fields.summary": TITLES, "fields.description": TEXTS, "fields.issuetype.name": KINDS,
         "fields.issuetype.description": ["A fault that a user has reported to the desk"] * N, "fields.status.name": WORDS,
         "fields.status.description": ["Work on this has ended and it was checked"] * N, "fields.priority.name": LEVELS,
         "fields.resolution.name": JIRA_CODES, "fields.resolution.description": ["Work on this has ended and was checked"] * N,
         "fields.created": OPENED, "fields.resolutiondate": SOLVED, "fields.updated": CHANGED, "fields.comment": JOURNAL,
         "fields.Root Cause Details": CAUSES, "fields.assignee.displayName": PEOPLE},
        {"id": "key", "prompt": ["fields.summary", "fields.description"], "answers": ["fields.Root Cause Details"],
         "created_at": "fields.created", "resolved_at": "fields.resolutiondate", "updated_at": "fields.updated",
         "status": "fields.status.name", "outcome": ["fields.resolution.name"], "journal": {"fields.comment"},
         "slices": ["fields.priority.name", "fields.issuetype.name"]}),
    "zendesk csv": (
        {"Summation column": ["1"] * N, "Id": SPACED, "Subject": TITLES, "Status": WORDS, "Group": GROUPS, "Ticket type": KINDS,
         "Via": CHANNELS, "Created at": OPENED, "Updated at": CHANGED, "Solved at": SOLVED, "Root cause [list]": KINDS,
         "Resolution summary [txt]": ANSWERS, "Assignee": PEOPLE},
        {"id": "Id", "prompt": ["Subject"], "answers": ["Resolution summary [txt]"], "created_at": "Created at",
         "resolved_at": "Solved at", "updated_at": "Updated at", "slices": ["Group", "Via", "Ticket type"]}),
    "zendesk json": (
        {"url": LINKS, "id": SPACED, "subject": TITLES, "raw_subject": TITLES, "description": TEXTS, "via.channel": CHANNELS,
         "status": WORDS, "created_at": OPENED, "updated_at": CHANGED, "comments": JOURNAL, "custom_fields.resolution": ANSWERS},
        {"id": "id", "prompt": ["subject", "description"], "answers": ["custom_fields.resolution"], "journal": {"comments"},
         "status": "status", "slices": ["via.channel"]}),
    "glpi fr": (
        {"ID": SPACED, "Titre": TITLES, "Statut": WORDS, "Date d'ouverture": OPENED, "Derni\u00e8re modification": CHANGED,
         "Date de cl\u00f4ture": SOLVED, "Priorit\u00e9": LEVELS, "Cat\u00e9gorie": KINDS, "Description": TEXTS,
         "Suivis - Description": JOURNAL, "T\u00e2ches - Description": JOURNAL, "Solution - Solution": ANSWERS,
         "Solution - Type de solution": KINDS, "Demandeur - Demandeur": PEOPLE},
        {"id": "ID", "prompt": ["Titre", "Description"], "answers": ["Solution - Solution"], "created_at": "Date d'ouverture",
         "resolved_at": "Date de cl\u00f4ture", "updated_at": "Derni\u00e8re modification", "status": "Statut",
         "outcome": ["Solution - Type de solution"], "slices": ["Cat\u00e9gorie", "Priorit\u00e9"],
         "journal": {"Suivis - Description", "T\u00e2ches - Description"}}),
    "glpi en": (
        {"ID": SPACED, "Title": TITLES, "Status": WORDS, "Opening date": OPENED, "Description": TEXTS, "Solution": ANSWERS,
         "Last update": CHANGED, "Closing date": SOLVED, "Followups": JOURNAL},
        {"id": "ID", "prompt": ["Title", "Description"], "answers": ["Solution"], "created_at": "Opening date",
         "resolved_at": "Closing date", "updated_at": "Last update", "journal": {"Followups"}}),
    "glpi api": (
        {"id": SPACED, "name": TITLES, "content": [f"&lt;p&gt;{text}&lt;/p&gt;" for text in TEXTS], "solution": ANSWERS,
         "date": OPENED, "solvedate": SOLVED, "closedate": SOLVED, "date_mod": CHANGED, "itilcategories_id": LEVELS},
        {"id": "id", "prompt": ["name", "content"], "answers": ["solution"], "created_at": "date", "resolved_at": "solvedate",
         "updated_at": "date_mod", "slices": ["itilcategories_id"]}),
    "freshservice": (
        {"id": SPACED, "subject": TITLES, "description": [f"<div>{text}</div>" for text in TEXTS], "description_text": TEXTS,
         "resolution_notes": ANSWERS, "resolution_notes_html": [f"<p>{text}</p>" for text in ANSWERS], "status": STATES,
         "created_at": OPENED, "updated_at": CHANGED, "category": KINDS, "source": LEVELS, "group_id": LEVELS},
        {"id": "id", "prompt": ["subject", "description_text"], "answers": ["resolution_notes"], "status": "status",
         "slices": ["category", "group_id", "source"]}),
    "remedy": (
        {"Entry ID": IDS, "Incident Number": IDS, "Description": TITLES, "Detailed Decription": TEXTS, "Resolution": ANSWERS,
         "Status": WORDS, "Status_Reason": KINDS, "Submit Date": OPENED, "Last Resolved Date": SOLVED, "Assigned Group": GROUPS,
         "Categorization Tier 1": KINDS, "ServiceCI": SERVICES, "Reported Source": CHANNELS, "Assignee": PEOPLE},
        {"id": "Incident Number", "prompt": ["Description", "Detailed Decription"], "answers": ["Resolution"],
         "created_at": "Submit Date", "resolved_at": "Last Resolved Date", "status": "Status", "outcome": ["Status_Reason"],
         "slices": ["Categorization Tier 1", "Assigned Group", "Reported Source", "ServiceCI"]}),
    "helix rest": (
        {"values.Incident Number": IDS, "values.Description": TITLES, "values.Detailed Decription": TEXTS,
         "values.Resolution": ANSWERS, "values.Submit Date": OPENED, "values.SAPTab-Cause": KINDS},
        {"id": "values.Incident Number", "prompt": ["values.Description", "values.Detailed Decription"],
         "answers": ["values.Resolution"], "created_at": "values.Submit Date"}),
    "remedy form": (
        {"Incident ID*+": IDS, "Summary*": TITLES, "Notes": TEXTS, "Resolution": ANSWERS, "Reported Date+": OPENED},
        {"id": "Incident ID*+", "prompt": ["Summary*", "Notes"], "answers": ["Resolution"], "created_at": "Reported Date+"}),
    "predecessor": (
        {"request_id": HEX, "title": TITLES, "ticket_description": TEXTS, "ticket_resolution": ANSWERS,
         "creation_date": OPENED, "resolution_date": SOLVED},
        {"id": "request_id", "prompt": ["title", "ticket_description"], "answers": ["ticket_resolution"],
         "created_at": "creation_date", "resolved_at": "resolution_date"}),
    "public helpdesk set": (
        {"Ticket ID": SPACED, "Customer Name": PEOPLE, "Ticket Type": KINDS, "Ticket Subject": TITLES,
         "Ticket Description": TEXTS, "Ticket Status": WORDS, "Resolution": ANSWERS, "Ticket Priority": LEVELS,
         "Ticket Channel": CHANNELS, "Date of Purchase": OPENED, "Time to Resolution": SOLVED},
        {"id": "Ticket ID", "prompt": ["Ticket Subject", "Ticket Description"], "answers": ["Resolution"],
         "status": "Ticket Status", "slices": ["Ticket Priority", "Ticket Channel", "Ticket Type"], "created_at": None}),
    "public mail set": (
        {"subject": TITLES, "body": TEXTS, "answer": ANSWERS, "type": KINDS, "queue": GROUPS, "priority": WORDS,
         "language": ["en" if i % 2 else "de" for i in range(N)], "tag_1": KINDS},
        {"id": None, "prompt": ["subject", "body"], "answers": ["answer"],
         "slices": ["queue", "priority", "language", "type"]}),
    "public incident set": (
        {"id": IDS, "title": TITLES, "summary": TEXTS, "root cause.details": CAUSES, "root cause.category": KINDS,
         "mitigation.details": ANSWERS, "start_time": OPENED, "updates": JOURNAL, "severity": LEVELS},
        {"id": "id", "prompt": ["title", "summary"], "answers": ["root cause.details"], "created_at": "start_time",
         "slices": ["severity"], "journal": {"updates"}}),
    "labelled incidents": (
        {"Unnamed: 0": SPACED, "service": SERVICES, "description": TEXTS, "label_start_time": OPENED,
         "label_user_symptom": TEXTS, "label_root_cause": CAUSES, "label_root_cause_category": KINDS},
        {"prompt": ["description"], "answers": ["label_root_cause"], "created_at": "label_start_time", "slices": ["service"]}),
    "german hand-made": (
        {"Ticketnummer": IDS, "Betreff": TITLES, "Fehlerbeschreibung": TEXTS, "Loesung": ANSWERS, "Erfasst am": OPENED},
        {"id": "Ticketnummer", "prompt": ["Betreff", "Fehlerbeschreibung"], "answers": ["Loesung"],
         "created_at": "Erfasst am"}),
    "portuguese hand-made": (
        {"Chamado": IDS, "Assunto": TITLES, "Descri\u00e7\u00e3o": TEXTS, "Solu\u00e7\u00e3o": ANSWERS,
         "Data de abertura": OPENED},
        {"id": "Chamado", "prompt": ["Assunto", "Descri\u00e7\u00e3o"], "answers": ["Solu\u00e7\u00e3o"],
         "created_at": "Data de abertura"}),
    "italian hand-made": (
        {"ID": IDS, "Oggetto": TITLES, "Descrizione": TEXTS, "Soluzione": ANSWERS, "Data di apertura": OPENED},
        {"prompt": ["Oggetto", "Descrizione"], "answers": ["Soluzione"], "created_at": "Data di apertura"}),
    "spanish hand-made": (
        {"ID": IDS, "Asunto": TITLES, "Descripci\u00f3n": TEXTS, "Causa ra\u00edz": CAUSES, "Fecha de creaci\u00f3n": OPENED},
        {"prompt": ["Asunto", "Descripci\u00f3n"], "answers": ["Causa ra\u00edz"], "created_at": "Fecha de creaci\u00f3n"}),
    "topdesk": (
        {"Nummer": IDS, "Korte omschrijving": TITLES, "Verzoek": TEXTS, "Actie": JOURNAL, "Oplossing": ANSWERS,
         "Datum aangemeld": OPENED, "Datum afgemeld": SOLVED, "Behandelaarsgroep": GROUPS},
        {"prompt": ["Korte omschrijving", "Verzoek"], "answers": ["Oplossing"], "created_at": "Datum aangemeld",
         "resolved_at": "Datum afgemeld", "slices": ["Behandelaarsgroep"], "journal": {"Actie"}}),
    "one text and an answer": (
        {"Ticket": TEXTS, "Fix": ANSWERS}, {"id": None, "prompt": ["Ticket"], "answers": ["Fix"], "slices": []}),
    "a text of unknown name": (
        {"What does the caller see?": TEXTS, "Owner": PEOPLE, "Solution": ANSWERS},
        {"prompt": ["What does the caller see?"], "answers": ["Solution"]}),
    "names in sentences": (
        {"Fault description in full": TEXTS, "Sujet de la demande": TITLES, "Solution given to the caller": ANSWERS},
        {"prompt": ["Sujet de la demande", "Fault description in full"], "answers": ["Solution given to the caller"]}),
}  # fmt: skip


@pytest.mark.parametrize("system", SYSTEMS)
def test_every_system_maps_with_no_flag(system: str) -> None:
    columns, expected = SYSTEMS[system]
    mapped = map_columns(columns)
    assert {role: getattr(mapped, role) for role in expected} == expected


@pytest.mark.parametrize("system", ["servicenow fields", "glpi fr", "jira json"])
def test_the_order_of_rows_and_columns_plays_no_part(system: str) -> None:
    columns, _ = SYSTEMS[system]
    one, other = map_columns(columns), map_columns({name: columns[name][::-1] for name in columns})
    assert one == other
    turned = map_columns(dict(reversed(columns.items())))
    assert (turned.prompt, turned.answers, turned.id, turned.slices) == (one.prompt, one.answers, one.id, one.slices)
