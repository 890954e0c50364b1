"""Lines that a system writes below its table: 'Total: 40 records', 'Exported on ...', '(40 rows affected)', 'Page 1 of 3'."""

import re
from collections.abc import Sequence

from rca_dist.tickets.words import fold

_LONGEST = 160
_MOST_CELLS = 4
_NUMBER = r"[\d., \u00a0\u202f']*\d"
_UNIT = (
    r"(?:records?|rows?|lines?|results?|entries|items?|incidents?|tickets?|requests?|cases?|enregistrements?|lignes?|elements?|"
    r"resultats?|demandes?|datensatze|datensaetze|zeilen|eintrage|eintraege|ergebnisse|vorgange|registros?|filas?|lineas?|"
    r"linhas?|resultados?|itens|record|righe|risultati|elementi|rijen|regels|resultaten|meldingen)"
)
_TOTAL = (
    r"(?:grand total|sub ?total|total|totals|count|row count|record count|number of \w+|gesamt\w*|"
    r"nombre(?: total)?(?: de \w+)?|total (?:of|de|von) \w+|summe|anzahl(?: der)?|totale|totaal|aantal|"
    r"numero de \w+|cantidad(?: de \w+)?)"
)
_MADE = (
    r"(?:(?:report|list|data|file|export|rapport|bericht|informe|relatorio)? ?(?:was )?"
    r"(?:exported|generated|printed|created|downloaded|extracted|produced|run|exporte|genere|imprime|extrait|edite|cree|"
    r"exportiert|erstellt|erzeugt|gedruckt|exportado|generado|generada|gerado|impreso|impresso|esportato|generato|stampato|"
    r"geexporteerd|gegenereerd|afgedrukt)(?:e|es)?"
    r"(?: (?:on|by|at|from|le|par|am|vom|von|el|por|em|il|da|op|door|with|with)\b| ?:)|"
    r"(?:export|report|run|print|generation) (?:date|time)\b|date (?:d ?export|de generation|du rapport)|"
    r"(?:exportdatum|berichtsdatum|fecha de exportacion|data di esportazione|data de exportacao)\b)"
)
_FOOTER = re.compile(
    rf"{_TOTAL}(?: {_UNIT})? ?[:=]? ?{_NUMBER}(?: {_UNIT})?|{_TOTAL}(?: {_UNIT})? ?[:=]?|"
    rf"{_NUMBER} ?(?:{_UNIT})(?: (?:in total|total|found|returned|selected|affected|exported|in set|au total|insgesamt|"
    r"gefunden|en total|no total|in totale|in totaal|trouves?|affectees?|selected)(?: ?\([^()]*\)?)?)?|"
    rf"{_MADE}.{{0,60}}|(?:end of|fin d[ue]|ende de[rs]|fin del?|fim d[oae]|fine) ?(?:the )?"
    r"(?:report|file|export|list|data|rapport|fichier|liste|berichts?|datei|informe|archivo|relatorio|arquivo|file|lista)|"
    r"(?:page|seite|pagina) ?\d+(?: ?(?:of|/|sur|von|de|di|van) ?\d+)?|"
    r"query (?:ok|returned).*|(?:execution|elapsed|completion) time.*|(?:copyright|\(c\)|\u00a9).*"
)
FOOTER = "line below the table"
_EDGES = " \t-=*#_.()[]<>\u2013\u2014"


def is_footer(cells: Sequence[str], width: int = 0) -> bool:
    """True for the cells of a row that is such a line: few of them are filled, and the words are known.

    `width` is the header's number of columns, where the row may be shorter.
    """
    width = max(width, len(cells))
    filled: list[str] = []
    for cell in cells:
        if cell and not cell.isspace():
            if len(filled) == _MOST_CELLS or len(cell) > _LONGEST or "\x00" in cell:
                return False
            filled.append(cell.strip())
    # A row of a real table is rarely so empty; 'Total' and '40' may stand in two cells.
    if not filled or len(filled) > max(1, width - 1) or (len(filled) > 2 and len(filled) * 2 > width):
        return False
    text = fold(" ".join(" ".join(filled).split())[: 2 * _LONGEST]).strip(_EDGES)
    return len(text) <= _LONGEST and _FOOTER.fullmatch(text) is not None


def footer_note(name: str, lines: Sequence[Sequence[str]]) -> str:
    """A sentence on lines that were left out, with the first of them, redacted."""
    from rca_dist.tickets.mapping.samples import shorten

    shown = shorten(" ".join(cell.strip() for cell in lines[0] if cell.strip()), 60)
    count = "the last line is" if len(lines) == 1 else f"{len(lines)} lines below the table are"
    return f"{name}: {count} no ticket and left out ({shown!r})."
