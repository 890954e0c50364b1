"""Greeting lines that open an answer ('Hi Jane,', 'Dear all,', 'Bonjour Madame,'): no content, and often a name."""

import re

# A greeting is a line of these words and of names (words with a capital), and nothing else.
_ALONE = (
    r"hi|hello|hey|hi there|hello there|greetings|good (?:morning|afternoon|evening|day)|dear|dears|"
    r"bonjour|bonsoir|salut|ch(?:er|\u00e8re)s?|"
    r"hallo|guten (?:tag|morgen|abend)|moin|servus|grüezi|grüß gott|sehr geehrte[rns]?|liebe[rs]?|"
    r"hola|buen(?:os|as) (?:días|dias|tardes|noches)|buen d[ií]a|estimad[oa]s?|apreciad[oa]s?|"
    r"olá|ola|oi|bom dia|boa (?:tarde|noite)|prezad[oa]s?|car[oa]s?|"
    r"ciao|salve|buongiorno|buonasera|buon (?:giorno|pomeriggio)|gentil[ei]|gent\.m[oa]|egregi[oa]?|spettabile|"
    r"goede(?:morgen|middag|navond|n ?dag)|goedendag|dag|geachte|beste"
)
_ADDRESSED = (
    r"all|team|everyone|everybody|both|user|users|customer|client|colleague|colleagues|sir|madam|sirs|caller|requester|mr|mrs|ms|"
    r"miss|dr|or|there|"
    r"à tous|a tous|tous|toutes|tout le monde|madame|monsieur|mme|m|mlle|collègues?|client|utilisateur|ou|et|"
    r"zusammen|alle|damen|herren|herr|frau|hr|fr|kunde|kundin|kolleg(?:e|in|en|innen)|und|"
    r"todos|todas|equipo|señor|señora|sr|sra|usuario|usuaria|cliente|compañer[oa]s?|y|"
    r"equipe|senhor|senhora|utilizador|e|tutti|tutte|signora?|sig|sig\.ra|utente|collegh[ie]|allen|iedereen|heer(?:/mevrouw)?|mevrouw|dhr|mevr|"
    r"gebruiker|collega(?:'s|s)?|klant|en|team"
)
_NAME = r"(?:<[A-Z_]+\d{0,3}>|[A-ZÀ-ÖØ-Þ][\w'\u2019.-]{0,30}|@[\w.-]{1,40})"
_ONE = rf"(?i:{_ALONE})(?:,?[ /](?:(?i:{_ADDRESSED})|{_NAME})\.?){{0,6}}"
_LINE = re.compile(rf"{_ONE}(?:,? {_ONE})?(?: ?[,!:;.\u2013-]{{0,3}})")
_LONGEST, _MOST_LINES = 80, 2


def strip_greeting(text: str) -> str:
    """`text` without the greeting lines it opens with; a text that is nothing else stays."""
    rest = text
    for _ in range(_MOST_LINES):
        line, newline, after = rest.lstrip("\n").partition("\n")
        if not newline or not after.strip() or not _is_greeting(line.strip()):
            break
        rest = after.lstrip("\n")
    return rest


def _is_greeting(line: str) -> bool:
    return 0 < len(line) <= _LONGEST and _LINE.fullmatch(line) is not None
