"""Rules for people's names that need no language model: after a title, a role, a greeting, and under a letter."""

import re

from rca_dist.tickets.redaction.base import Rule, Sight, before, holds, one_of, speaks_of, words_of
from rca_dist.tickets.redaction.no_names import NO_NAME

_CAP = r"[A-ZÀ-ÖØ-Þ](?:[a-zß-öø-ÿ]|[A-ZÀ-ÖØ-Þ]|['\u2019-](?=[A-Za-zÀ-ÿ])){1,24}"
_PARTICLE = r"(?:de|da|di|du|del|della|dos|van|von|der|den|le|la|ten|ter|el|al|bin|zu|zur|[dO]['\u2019])"
_ONE = rf"(?:{_CAP}|[A-Z]\.)"
_LINK = rf"[ \t]+(?:{_PARTICLE}[ \t]+){{0,2}}"
_NAME = rf"{_ONE}(?:{_LINK}{_ONE}){{0,3}}"
_FULL = rf"(?:{_CAP},[ \t]{_CAP}(?:[ \t]{_CAP})?|{_ONE}(?:{_LINK}{_ONE}){{1,3}})"

_TITLES = (
    "Mr Mr. Mrs Mrs. Ms Ms. Miss Mx Mx. Dr Dr. Prof Prof. Mme Mlle Melle Monsieur Madame Mademoiselle Herr Herrn Frau Hr. Fr. "
    "Sr. Sra. Señor Señora Sig. Sig.ra Signora Signor Dott. Dott.ssa Senhor Senhora Dhr. Mevr. Mevrouw Meneer De_heer M. MM."
)
_TITLE = re.compile(
    rf"(?<![\w.@-]){one_of(_TITLES)}[ \t]+(?:Dr\.?[ \t]+|Prof\.?[ \t]+)?"
    rf"(?P<value>(?:{_PARTICLE}[ \t]+){{0,2}}{_NAME})(?![\w@.]\w)"
)
_INTRODUCED = one_of(
    "my_name_is my_name's his_name_is her_name_is je_m'appelle je_m’appelle mon_nom_est ich_heiße ich_heisse mein_name_ist "
    "me_llamo mi_nombre_es mi_chiamo il_mio_nome_è meu_nome_é chamo-me me_chamo mijn_naam_is ik_heet on_behalf_of spoke_to "
    "spoke_with talked_to talked_with de_la_part_de im_auftrag_von"
)
_TOLD = re.compile(rf"(?i:(?<!\w){_INTRODUCED})[ \t]*:?[ \t]+(?P<value>{_NAME})")
# The last word before the sign: 'Reported by: Jane Roe', 'Nom du demandeur : Dupont Jean'.
_ROLES = words_of(
    "caller requester requestor contact person assignee employee manager supervisor technician engineer name "
    "displayname surname user customer from to cc attn sender recipient author owner agent demandeur appelant "
    "utilisateur interlocuteur technicien responsable nom prénom complet bénéficiaire de à expéditeur destinataire melder "
    "anrufer ansprechpartner ansprechpartnerin bearbeiter benutzer mitarbeiter mitarbeiterin vorname nachname name von an "
    "solicitante usuario contacto técnico nombre completo apellido apellidos remitente richiedente utente referente "
    "tecnico nome cognome mittente utilizador usuário contato aanvrager beller gebruiker medewerker contactpersoon naam "
    "voornaam achternaam"
)
_SURE_ROLES = words_of(
    "caller requester requestor employee surname demandeur appelant nom prénom anrufer vorname nachname apellido apellidos "
    "cognome voornaam achternaam richiedente solicitante aanvrager"
)
_ROLE = re.compile(rf"[:=][ \t\u00a0]*\"?(?P<value>{_FULL}|{_CAP}(?=[ \t]*(?:$|\n|[,;(<])))", re.MULTILINE)
_ROLE_BEFORE = re.compile(r"(?<![\w@/.-])([^\W\d_]{1,24})[ \t\u00a0]*$")
_DEEDS = (
    "reported raised opened submitted created closed resolved updated approved logged requested assigned signalé ouvert créé "
    "fermé résolu demandé affecté assigné gemeldet erstellt bearbeitet geschlossen creado asignado abierto cerrado creato "
    "aperto assegnato criado aberto atribuído aangemaakt gemeld toegewezen"
)
_DEED = re.compile(
    rf"(?i:(?<!\w){one_of(_DEEDS)}[ \t]+"
    rf"(?:by|to|par|à|von|an|por|a|da|door|aan|for|pour|für|para|per|voor)[ \t]*:?)[ \t]+(?P<value>{_FULL})(?![\w@.]\w)"
)
_JOURNAL = re.compile(rf"\d\d:\d\d(?::\d\d)?(?: ?[AP]M)? ?[-\u2013] ?(?P<value>{_FULL})(?=[ \t]*(?:\(|$|\n|:))", re.MULTILINE)
_MAILBOX = re.compile(rf"(?P<value>{_FULL})\"?[ \t]*(?=[<(\[]<?(?:mailto:)?<?EMAIL)")
_BYES = (
    "regards best_regards kind_regards warm_regards many_regards best_wishes kind_wishes thanks thanks_again thanks_a_lot "
    "thanks_in_advance thanks_and_regards thank_you thank_you_very_much many_thanks cheers sincerely yours_sincerely "
    "yours_truly yours_faithfully br rgds bien_à_vous cordialement bien_cordialement très_cordialement cdlt "
    "sincères_salutations salutations salutations_distinguées merci merci_d'avance merci_d’avance merci_beaucoup "
    "bonne_journée mit_freundlichen_grüßen mit_freundlichen_gruessen mit_besten_grüßen mit_freundlichem_gruß mfg viele_grüße "
    "beste_grüße liebe_grüße freundliche_grüße schöne_grüße danke vielen_dank saludo saludos un_saludo saludos_cordiales "
    "un_cordial_saludo atentamente gracias muchas_gracias cordiali_saluti distinti_saluti saluti grazie atenciosamente "
    "cumprimentos os_melhores_cumprimentos com_os_melhores_cumprimentos obrigado obrigada met_vriendelijke_groet "
    "met_vriendelijke_groeten groet groeten groetjes mvg bedankt"
)
_SIGNED = re.compile(
    rf"(?:^|(?<=[.!?;,>] ))[ \t>]*(?i:{one_of(_BYES)})[ \t]*"
    rf"(?:[,.!]?[ \t\r]*\n\s{{0,8}}(?!(?i:{one_of(_BYES)})\b)(?P<value>{_NAME})(?=[ \t\r]*(?:$|\n|[,|-]))"
    rf"|,[ \t]*(?P<inline>{_NAME})(?=[ \t]*[.!]?[ \t\r]*(?:$|\n)))",
    re.MULTILINE,
)
_HELLOS = (
    "hi hello hey dear good_morning good_afternoon good_day bonjour bonsoir salut cher chère hallo guten_tag guten_morgen "
    "liebe lieber hola estimado estimada buenos_días ciao buongiorno gentile olá bom_dia caro cara beste goedemorgen geachte"
)
_HELLO = re.compile(
    rf"(?:^|(?<=[.!>] ))[ \t]*(?i:{one_of(_HELLOS)})[ \t]+(?P<value>{_CAP}(?:[ \t]{_CAP})?)(?=[ \t\r]*(?:[,!:]|$|\n))",
    re.MULTILINE,
)


_PARTICLES = words_of("le la de du des da di van von den der el al ten ter")
_WORDS = re.compile(r"[^ \t,]+")


def name_in(value: str) -> str:
    """The front of a run of capitalised words that can be a name: up to the first word of tickets; "" if there is none."""
    end = 0
    for word in _WORDS.finditer(value):
        lowered = word[0].lower().rstrip(".")
        if lowered in _PARTICLES and word.end() < len(value):
            continue
        if lowered in NO_NAME:
            break
        end = word.end()
    name = value[:end]
    longest = max((len(word) for word in _WORDS.findall(name)), default=0)
    # 'ERP', 'VPN KO' are no names; 'DUPONT Jean' and 'JANE ROE' are.
    return "" if longest < 3 or (name.isupper() and " " not in name and longest < 5) else name


def _person(match: re.Match[str]) -> bool:
    return name_in(match[match.lastgroup or 0]) != ""


def _full_name(match: re.Match[str]) -> bool:
    return " " in name_in(match["value"])


def _role(match: re.Match[str]) -> bool:
    said = _ROLE_BEFORE.search(before(match, 32))
    if said is None:
        return False
    value, role = name_in(match["value"]), said[1].lower()
    if " " in value:
        return role in _ROLES
    # One word only where the word before can mean nothing but a person.
    return role in _SURE_ROLES and value[1:].islower()


def _may_hold_title(sight: Sight) -> bool:
    return _titles(sight) or "M. " in sight.text or "MM. " in sight.text


def _may_hold_mailbox(sight: Sight) -> bool:
    text = sight.text
    return ("@" in text or "EMAIL" in text) and ("<" in text or "(" in text or "[" in text)


_titles = speaks_of(
    "mr mrs ms miss mx dr prof mme mlle melle monsieur madame mademoiselle herr herrn frau hr fr sr sra señor señora sig "
    "signora signor dott senhor senhora dhr mevr mevrouw meneer heer"
)
RULES = (
    Rule("PERSON", _TITLE, _may_hold_title, _person, "value", name_in),
    Rule(
        "PERSON",
        _TOLD,
        speaks_of("name appelle nom heiße heisse llamo nombre chiamo nome chamo naam heet behalf spoke talked part auftrag"),
        _person,
        "value",
        name_in,
    ),
    Rule("PERSON", _ROLE, holds(":", "="), _role, "value", name_in),
    Rule("PERSON", _DEED, speaks_of(_DEEDS), _full_name, "value", name_in),
    Rule("PERSON", _JOURNAL, lambda sight: sight.digits and ":" in sight.text, _full_name, "value", name_in),
    Rule("PERSON", _MAILBOX, _may_hold_mailbox, _full_name, "value", name_in),
    Rule(
        "PERSON",
        _SIGNED,
        speaks_of(
            "regards wishes thanks thank cheers sincerely yours br rgds vous cordialement cdlt salutations merci journée "
            "grüßen gruß gruessen grüße mfg danke dank saludo saludos atentamente gracias saluti grazie atenciosamente "
            "cumprimentos obrigado obrigada groet groeten groetjes mvg bedankt"
        ),
        _person,
        "value",
        name_in,
    ),
    Rule("PERSON", _HELLO, speaks_of(_HELLOS + " good guten buenos bom"), _person, "value", name_in),
)
