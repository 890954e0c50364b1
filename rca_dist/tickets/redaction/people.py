"""Rules for people's names that need no language model: after a title, a role, a greeting, and under a letter."""

import re

from rca_dist.tickets.redaction.base import LOWER, UPPER, Rule, Sight, after, before, holds, one_of, speaks_of, words_of
from rca_dist.tickets.redaction.no_names import NO_NAME

_CAP = rf"[{UPPER}](?:[{LOWER}{UPPER}]|['\u2019-](?=[{UPPER}{LOWER}])){{1,24}}"
_PARTICLE = r"(?:de|da|di|du|del|della|dos|van|von|der|den|le|la|ten|ter|el|al|bin|zu|zur|[dO]['\u2019])"
_ONE = rf"(?:{_CAP}|[{UPPER}]\.)"
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
    "voornaam achternaam vorgesetzter vorgesetzte vorgesetzten teamleiter kontakt approver watcher reporter engineer analyst "
    "colleague boss approbateur supérieur hiérarchique collègue chef jefe superiore superior leidinggevende пользователь "
    "заявитель автор имя фио исполнитель użytkownik zgłaszający uživatel zadavatel användare bruger bruker felhasználó "
    "kullanıcı utilizator χρήστης"
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
# '03/04/2024 10:12 Sarah Connor: rebooted', 'Sarah Connor wrote:', '- Sarah Connor, Tier 2', 'User Sarah Connor confirmed'
_LOGGED = re.compile(
    rf"\d[-./]\d{{1,4}},?[ T]\d\d:\d\d(?::\d\d)?(?: ?[AP]M)?[ \t]+(?P<value>{_FULL})(?=[ \t]*(?:\([\w ]{{1,20}}\))?:)"
)
_WROTE = re.compile(
    rf"(?P<value>{_FULL})(?=[ \t]+(?:wrote|writes|a écrit|schrieb|escribió|escreveu|ha scritto|schreef|написал\w?)[ \t]*:)"
)
_DASHED = re.compile(
    rf"^[ \t]*[-\u2013\u2014~]{{1,2}}[ \t]?(?P<value>{_FULL})(?=[ \t]*[,|/(-][ \t]*(?i:tier|level|l[1-3]\b|support|"
    r"it\b|engineer|service|"
    r"help ?desk|team|senior|junior|analyst|technician|technicien|techniker|administrat|manager|lead|consult))",
    re.MULTILINE,
)
_THE_USER = re.compile(
    rf"(?i:(?<![\w.@/-])(?:user|caller|requester|employee|colleague|technician|utilisateur|utilisatrice|demandeur|"
    rf"collègue|benutzer|benutzerin|anwender|kollege|kollegin|mitarbeiter|usuario|usuaria|utente|usuário|gebruiker|collega|"
    rf"пользователь)"
    rf"[ \t]+)(?P<value>{_CAP}(?:{_LINK}{_CAP}){{1,2}})"
    rf"(?=[ \t]+[{LOWER}]|[,;.)]|[ \t]*(?:$|\n|[(<]))",
    re.MULTILINE,
)
# A name in small letters, family name first.
_SMALL = re.compile(
    r"(?i:(?<!\w)(?:(?:reported|opened|requested|raised|submitted|logged) by|caller|requester|requested for|demandeur|melder|"
    rf"solicitante|richiedente))[ \t]*:[ \t]*"
    rf"(?P<value>[{LOWER}][{LOWER}'\u2019-]{{1,24}}, ?[{LOWER}][{LOWER}'\u2019-]{{1,24}})(?=[ \t]*(?:$|\n|[(<.]))",
    re.MULTILINE,
)
_EAST_ASIAN = re.compile(
    "(?:担当者?|依頼者|申請者|報告者|利用者|氏名|名前|上司|联系人|聯絡人|姓名|报告人|申请人|提交人|담당자|요청자|신고자|이름|성명)"
    "[ \t]*[:\uff1a][ \t\u3000]*(?P<value>[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]{2,6})"
    "(?![\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af])"
)
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


_TEAM_SIGN = re.compile(
    "[部課课室係組组팀]|チーム|グループ|サポート|デスク|センター|システム|中心|管理|客服|시스템|관리자|지원"
)


def is_east_asian_team(value: str) -> bool:
    """True for a department, a group or a system in Japanese, Chinese or Korean."""
    return _TEAM_SIGN.search(value) is not None


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


def _whole_name(match: re.Match[str]) -> bool:
    """Every word can be a name: 'Sarah Connor', not 'User Account Control'."""
    return name_in(match["value"]) == match["value"]


def _role(match: re.Match[str]) -> bool:
    said = _ROLE_BEFORE.search(before(match, 32))
    if said is None or after(match, 1, "value") == "\\":  # NT AUTHORITY\SYSTEM
        return False
    value, role = name_in(match["value"]), said[1].lower()
    if " " in value:
        return role in _ROLES
    # One word only where the word before can mean nothing but a person.
    return role in _SURE_ROLES and value[1:].islower()


def _small(match: re.Match[str]) -> bool:
    return not any(word in NO_NAME for word in re.split(r"[ ,]+", match["value"]))


_persons = speaks_of(
    "user caller requester employee colleague technician utilisateur utilisatrice demandeur collègue benutzer benutzerin "
    "anwender kollege kollegin mitarbeiter usuario usuaria utente usuário gebruiker collega пользователь"
)


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
    Rule("PERSON", _LOGGED, lambda sight: sight.digits and ":" in sight.text, _whole_name, "value"),
    Rule(
        "PERSON",
        _WROTE,
        speaks_of("wrote writes écrit schrieb escribió escreveu scritto schreef написал написала"),
        _full_name,
        "value",
        name_in,
    ),
    Rule("PERSON", _DASHED, holds("-", "\u2013", "\u2014", "~"), _whole_name, "value"),
    Rule("PERSON", _THE_USER, _persons, _whole_name, "value"),
    Rule(
        "PERSON",
        _SMALL,
        speaks_of(
            "reported opened requested raised submitted logged caller requester demandeur melder solicitante richiedente"
        ),
        _small,
        "value",
    ),
    Rule(
        "PERSON",
        _EAST_ASIAN,
        lambda sight: not sight.text.isascii() and (":" in sight.text or "\uff1a" in sight.text),
        lambda match: not is_east_asian_team(match["value"]),
        "value",
    ),
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
