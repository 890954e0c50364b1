"""What status and outcome words say about a ticket: cancelled, a duplicate of another one, or still open.

Only known words count; a ticket with any other word is kept.
"""

import re
from collections.abc import Sequence

from rca_dist.tickets.mapping.column_names import normalise_name
from rca_dist.tickets.words import fold

CANCELLED, DUPLICATE, OPEN = "cancelled (status)", "duplicate of another ticket", "still open (status)"
POINTS_ELSEWHERE = "answer only points at another ticket"

_CANCELLED_WORDS = (
    "cancelled|canceled|cancel|closed cancelled|closed canceled|closed incomplete cancelled|withdrawn|retracted|rejected|"
    "declined|"
    "won t do|wont do|won t fix|wont fix|will not do|abandoned|void|request cancelled|cancelled by user|canceled by user|"
    "cancelled by caller|canceled by caller|cancelled by customer|spam|deleted|"
    "annule|annulee|ticket annule|demande annulee|abandonne|abandonnee|rejete|rejetee|refuse|refusee|sans suite|supprime|"
    "supprimee|"
    "storniert|abgebrochen|abgelehnt|zuruckgezogen|verworfen|geloscht|annulliert|"
    "cancelado|cancelada|anulado|anulada|rechazado|rechazada|descartado|eliminado|rejeitado|rejeitada|desistido|excluido|"
    "annullato|annullata|rifiutato|respinto|eliminata|geannuleerd|afgewezen|ingetrokken|vervallen|verwijderd"
)
_DUPLICATE_WORDS = (
    "duplicate|duplicated|duplicate ticket|duplicate incident|duplicate issue|closed duplicate|closed as duplicate|"
    "duplicate of|merged|"
    "solved duplicate|resolved duplicate|"
    "doublon|en doublon|doublonne|fusionne|fusionnee|duplikat|dublette|doppelt|zusammengefuhrt|duplicado|duplicada|repetido|"
    "fusionado|mesclado|duplicato|duplicata|doppione|unito|dubbel|duplicaat|samengevoegd"
)
_OPEN_WORDS = (
    "new|open|opened|reopened|re opened|in progress|work in progress|wip|in review|in work|being processed|processing|pending|"
    "pending customer|pending user|pending vendor|pending approval|pending change|on hold|hold|assigned|acknowledged|active|"
    "accepted|"
    "waiting|awaiting|waiting for customer|waiting for support|waiting for approval|waiting on customer|waiting for user|"
    "waiting on third party|awaiting user info|awaiting caller|awaiting problem|awaiting evidence|awaiting vendor|"
    "awaiting change|"
    "to do|todo|backlog|selected for development|escalated|queued|planned|scheduled|draft|submitted|under investigation|"
    "under review|investigating|triage|unassigned|started|suspended|"
    "nouveau|nouvelle|ouvert|ouverte|reouvert|en cours|en cours attribue|en cours planifie|en cours de traitement|en attente|"
    "attribue|assigne|affecte|planifie|suspendu|a traiter|a faire|"
    "neu|offen|in bearbeitung|in arbeit|wartend|wartet|warten auf kunde|warten auf kunden|zugewiesen|ausstehend|angehalten|"
    "wiedereroffnet|"
    "nuevo|nueva|abierto|abierta|en curso|en progreso|en proceso|pendiente|en espera|asignado|asignada|reabierto|"
    "novo|nova|aberto|aberta|em andamento|em atendimento|em progresso|pendente|aguardando|em espera|atribuido|reaberto|"
    "nuovo|aperto|aperta|in corso|in lavorazione|in attesa|in sospeso|assegnato|assegnata|riaperto|"
    "nieuw|in behandeling|in uitvoering|wachten|wacht op klant|wachtend|toegewezen|heropend|in wacht"
)
_WORDS = {
    word: outcome
    for outcome, words in ((CANCELLED, _CANCELLED_WORDS), (DUPLICATE, _DUPLICATE_WORDS), (OPEN, _OPEN_WORDS))
    for word in words.split("|")
}
_NOT_WORD = re.compile(r"[\W_]+")
_NUMBER_IN_FRONT = re.compile(r"^\d{1,2} (?=[a-z])")
_TICKET_WORD = (
    r"(?:the |le |la |l |das |el |o |il |het )?(?:ticket|incident|case|request|call|issue|problem|demande|vorgang|vorfall|"
    r"anfrage|"
    r"caso|solicitud|incidencia|incidente|chamado|richiesta|segnalazione|melding)s? ?(?:number |no |nr |num |numero |id |n )?"
)
_PREFIX = r"(?:inc|req|ritm|sctask|task|chg|prb|sr|wo|crq|cs|pbi|im|tt|tkt|hd|sd|itsm|ticket)"
# A number alone names a ticket only when it is long; 'KB0012345', 'page 12' and 'port 443' name something else.
_REFERENCE = rf"(?:{_TICKET_WORD}(?:[a-z]{{1,10}} ?)?\d+|{_PREFIX} ?\d{{2,}}|\d{{5,}})"
_KEY_AFTER_OF = r"(?:(?!(?:kb|ip|mac|vlan|port|page|row|line|record)\b)[a-z]{2,10} ?\d{1,9}|\d{2,})"
_STARTS = (
    r"(?:(?:this|the|closed|closing|resolved|cancelled|marked|ticket|incident|case|request|issue|call|it|is|was|has|been|as|"
    r"a|an|est|"
    r"un|clos|ferme|ce|comme|en|ist|ein|dies|als|geschlossen|es|cerrado|como|um|fechado|e|chiuso|gesloten|een|and|into|por) )*"
)
_TWIN = (
    r"(?:duplicated?s?|dupe|dup|doublon|duplikat|dublette|duplicad[oa]|duplicat[oa]|doppione|dubbel|duplicaat|merged|"
    r"fusionnee?|"
    r"zusammengefuhrt|fusionado|samengevoegd|unito)(?: (?:ticket|incident|case|request|issue)(?= (?!\d)))?"
)
_OF = r"(?: (?:of|with|to|in|into|du|de|d|avec|von|zu|mit|del|con|do|com|di|van|met|a|au|dans))"
_POINTER = (
    r"(?:same (?:issue )?as|see(?: also)?|refer to|tracked in|handled in|followed (?:up )?in|voir(?: le)?|cf|traite dans|"
    r"siehe|ver|"
    r"vedi|zie)(?: (?:parent|main|master|original|other|existing|le|the))*"
)
_DUPLICATE_ANSWER = re.compile(
    rf"{_STARTS}(?:{_TWIN}{_OF}(?: (?:la|le|the|parent|original))* (?:{_REFERENCE}|{_KEY_AFTER_OF})"
    rf"|{_TWIN}(?: (?:see|voir|siehe|ver))? {_REFERENCE}|{_POINTER} {_REFERENCE})"
    r"(?: (?:thanks|thank you|merci|danke|gracias|grazie))?"
)
_ALONE = re.compile(
    r"(?:closed as |marked as |closing as |this is a |this ticket is a |c est un |ticket en |ist ein |es un |e um |is een )?"
    r"(?:duplicate|dupe|doublon|duplikat|dublette|duplicado|duplicato|doppione|duplicaat|dubbel)"
    r"(?: (?:ticket|incident|case|request|issue|entry|demande|melding))?"
)


def status_outcomes(statuses: Sequence[Sequence[str]], names: Sequence[str] = ()) -> list[str | None]:
    """For each row the outcome its status cells tell (CANCELLED, DUPLICATE, OPEN), None where they tell nothing.

    `names` are the columns the cells come from: numbers in 'state' are read as ServiceNow's (8 cancelled, 1 to 5 open), in
    'status' as Freshservice's or GLPI's. Without names they are ServiceNow's where a 7 or an 8 occurs, and not read otherwise.
    """
    width = max((len(cells) for cells in statuses), default=0)
    tables = [_table({_key(cells[place]) for cells in statuses if place < len(cells)}, names, place) for place in range(width)]
    return [_first([tables[place].get(_key(cell)) for place, cell in enumerate(cells)]) for cells in statuses]


def answer_is_duplicate(answer: str) -> bool:
    """True when the whole answer only points at another ticket: 'Duplicate of INC0012345', 'doublon du ticket 123'."""
    if len(answer) > 120:
        return False
    plain = _key(answer)
    return _DUPLICATE_ANSWER.fullmatch(plain) is not None or _ALONE.fullmatch(plain) is not None


def _table(values: set[str], names: Sequence[str], place: int) -> dict[str, str]:
    """Outcome of each known value of one column."""
    table = {}
    for value in values:
        word = _NUMBER_IN_FRONT.sub("", value)
        if word in _WORDS:
            table[value] = _WORDS[word]
    numbers = {value for value in values if value}
    if numbers and all(value.isdigit() and len(value) <= 2 for value in numbers):
        table |= _numeric(numbers, normalise_name(names[place]) if place < len(names) else None)
    return table


def _numeric(values: set[str], name: str | None) -> dict[str, str]:
    is_servicenow = name in ("state", "incident state") if name is not None else bool(values & {"7", "8"})
    if is_servicenow:
        return {**dict.fromkeys("12345", OPEN), "8": CANCELLED}
    if name == "status":
        # GLPI counts from 1 and has 4 as pending; in Freshservice 4 is resolved.
        return dict.fromkeys("1234" if "1" in values else "23", OPEN)
    return {}


def _first(found: Sequence[str | None]) -> str | None:
    return next((outcome for kind in (CANCELLED, DUPLICATE, OPEN) for outcome in found if outcome == kind), None)


def _key(text: str) -> str:
    return _NOT_WORD.sub(" ", fold(text[:200])).strip()
