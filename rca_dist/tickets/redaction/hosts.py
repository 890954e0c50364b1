"""Rules for hosts: names in internal zones, machine names, `\\\\server\\share`; hosts of vendors and the public stay."""

import re

from rca_dist.tickets.redaction.base import (
    SIGN,
    Rule,
    Sight,
    before,
    is_mixed,
    is_signal,
    mentions,
    one_of,
    speaks_of,
    words_of,
)
from rca_dist.tickets.redaction.public_hosts import PUBLIC, TENANTS

_COMMON_LABEL = words_of(
    "www login support docs help status api portal my admin community developer download downloads id auth account accounts "
    "cdn static hooks console signin s3 ec2 sts us-east-1 eu-west-1 explore marketplace app get edge files global secure"
)
_PUBLIC_SITE = words_of("www docs blog forum forums community learn news")
_INTERNAL = words_of("local localdomain lan corp internal intranet intra dmz domain adds")
_ENDS = words_of(
    "com net org edu gov mil int info biz eu io fr de es it pt nl be ch at uk ie us ca au nz br mx ar cl co jp cn in kr sg hk "
    "za pl cz se no dk fi ru tr gr ro hu lu cloud tech online site group global company bank"
)
_CODE_HEAD = words_of(
    "com org net edu gov io java javax jakarta sun jdk scala kotlin android system microsoft windows self this os sys app "
    "settings appsettings config env process module exports window document thread spring log4j logging console node std "
    "python django flask numpy pandas torch request response http object class package import"
)
_NAME = re.compile(
    r"(?<![\w@.\\%$-])(?:[A-Za-z0-9_][\w-]{0,62}\.){1,20}[A-Za-z]{2,15}(?![\w-]|\.\w|\(|@)",
)
_HAS_NAME = re.compile(r"\.[A-Za-z]")
_BARE_IN_URL = re.compile(r"(?<=://)(?P<value>[A-Za-z][\w-]{1,62})(?=[:/?#]|[\s\"')\]]|$)")
_SHARE = re.compile(
    r"(?<![\w\\:])\\{2,4}(?P<value>[A-Za-z0-9][\w.-]{1,80})(?=\\)|\b(?:smb|cifs|nfs|afp)://(?P<smb>[\w.-]{2,80})"
    r"|\bfile://(?P<file>(?![A-Za-z]:)[\w.-]{2,80})(?=[/\\])"
)
# Windows programs whose names end as a server's would.
_TOOLS = words_of("regsvr32 regsvr64 regsrv32 regsvr srv32 winsrv32 lsasrv32")
_DNS_TYPE = words_of(
    "srv-record srv-records srv-rr srv-lookup srv-query srv-entry srv-eintrag srv-einträge srv-type srv-dns srv-resource "
    "srv-enregistrement srv-registro srv-priority srv-weight"
)
_HOST_WORDS = (
    "hostname host_name computer_name computername machine_name device_name server_name servername fqdn netbios_name "
    "workstation_name nom_de_machine nom_machine nom_du_poste nom_de_poste nom_du_serveur nom_du_pc nom_du_poste_de_travail "
    "rechnername computernamen servernamen hostnamen gerätename nombre_del_equipo nombre_de_equipo nombre_del_servidor "
    "nome_computer nome_host nome_del_computer nome_do_computador nome_da_máquina nome_do_servidor computernaam servernaam "
    "data_source"
)
_LABELLED = re.compile(
    rf"(?<![\w.-]){one_of(_HOST_WORDS)}\b[\"']?[ \t]*(?P<sign>{SIGN}|[ \t])[ \t]*[\"']?(?P<value>[A-Za-z0-9][\w.-]{{1,80}}\w)",
    re.IGNORECASE,
)
_MACHINE_WORDS = (
    "host server serveur servidor machine computer workstation poste pc rechner ordinateur equipo addr address device gerät "
    "node hote hôte asset"
)
_SERVED = re.compile(
    rf"(?<![\w.-]){one_of(_MACHINE_WORDS)}\b[\"']?[ \t]*(?P<sign>:=|=|:|[ \t])[ \t]*[\"']?"
    r"(?P<value>[A-Za-z][\w-]{1,40}\w)(?![\w@\\%/(]|\.\w)",
    re.IGNORECASE,
)
_CANDIDATE = re.compile(
    r"(?<![\w.@%/\\-])(?:(?=[A-Za-z_-]{1,40}[0-9])|(?=(?:srv|svr|win|desktop|laptop|ip|ec2)-)|(?=SRV|SVR))"
    r"[A-Za-z][\w-]{1,62}(?![\w@(-]|\.\w)",
    re.IGNORECASE,
)
_GENERATED = re.compile(
    r"(?:DESKTOP|LAPTOP)-(?=[A-Z0-9]*[0-9])[A-Z0-9]{4,15}|WIN-(?:[A-Z0-9]{11}|(?=[A-Z]*[0-9]+[A-Z])[A-Z0-9]{6,15})|"
    r"(?:MININT|EC2AMAZ)-[A-Z0-9]{6,8}|(?:ip|ec2)(?:-[0-9]{1,3}){4}",
    re.IGNORECASE,
)
_STRONG = words_of("srv svr nas esx esxi wks pc laptop desktop poste serveur filer rdsh")
_WEAK = words_of(
    "sql db app web fs dc fw sw ap vm ts rds ctx exch mail print prt prn imp mfp file bkp hv adc dns dhcp proxy vpn gw "
    "server switch router rtr ws dt tab node worker citrix term backup ora wlc wap lap nb nbk lt kiosk vdi ups san host ilo "
    "idrac smtp ftp iis ad adfs wsus sccm sap erp crm prod dev tst test uat qa prd"
)
_ROLE = r"(?:SQL|DB|APP|WEB|FS|DC|FW|SW|AP|VM|TS|RDS|CTX|EXCH|MAIL|PRINT|PRT|PRN|IMP|MFP|FILE|BKP|HV|ADC|DNS|DHCP|PROXY|GW|"
_ROLE += r"SERVER|RTR|WS|DT|LAP|NBK?|LT|WLC|ORA|ADFS|SCCM|WSUS|IIS|SMTP|FTP|PROD|DEV|UAT|TST|PRD|CLUSTER|CLU)"
_JOINED = re.compile(
    rf"[A-Z]{{0,6}}(?:SRV|SVR)[A-Z]{{0,8}}[0-9]{{1,5}}[A-Z]?|(?:[A-Z]{{2,4}})?(?:NAS|ESXI?|WKS)[0-9]{{1,5}}[A-Z]?|"
    rf"PC0?[0-9]{{3,8}}|"
    rf"[A-Z]{{0,4}}{_ROLE}{{1,3}}0[0-9]{{1,4}}[A-Z]?|(?:LAPTOP|DESKTOP)[0-9]{{2,8}}",
    re.IGNORECASE,
)
_REGION = re.compile(
    r"(?:US|EU|AP|CA|SA|ME|AF|IL|MX|CN)(?:-GOV|-ISO)?-(?:NORTH|SOUTH|EAST|WEST|CENTRAL)+-[0-9][a-z]?", re.IGNORECASE
)
_NUMBERED = re.compile(
    r"(?:web|db|sql|app|fs|dc|vm|mail|file|print|proxy|node|db)(?!20[0-9][0-9])[0-9]{2,3}[a-z]?", re.IGNORECASE
)
_YEAR = re.compile(r"(?:19|20)[0-9]{2}$")
_SPLIT = re.compile(r"[-_]")
_MACHINE_CODE = re.compile(
    r"(?=[\w-]*[0-9])(?=[\w-]*[A-Za-z])(?:[A-Z0-9]{2,15}(?:[-_][A-Z0-9]{1,15}){1,5}|"
    r"[A-Z]{1,10}[0-9]{2,8}[A-Z]{0,2}|[a-z][a-z0-9]{1,11}(?:-[a-z0-9]{1,12}){0,4}(?:-?[0-9]{1,5}|[0-9]{2,4}[a-z]))$"
)


def _domain_of(labels: list[str]) -> str | None:
    """The longest known public domain that a host (its lower-case labels) lies in."""
    for start in range(max(0, len(labels) - 5), len(labels) - 1):
        domain = ".".join(labels[start:])
        if domain in PUBLIC or domain in TENANTS:
            return domain
    return None


def is_own_host(name: str, in_url: bool = False) -> bool:
    """True when a dotted name is a host of the organisation, not a vendor's, a file, a package or a sentence."""
    labels = name.lower().split(".")
    known = _domain_of(labels)
    if known:
        owner = labels[: len(labels) - known.count(".") - 1]
        return known in TENANTS and bool(owner) and not _COMMON_LABEL.issuperset(owner)
    last, end = labels[-1], name.rpartition(".")[2]
    if last in _INTERNAL:
        return labels[0] not in _CODE_HEAD and (len(labels) > 2 or len(labels[0]) > 1) and end in (last, last.upper())
    if last not in _ENDS or len(labels) < 3 or end not in (last, last.upper()):
        return False
    if labels[0] in _PUBLIC_SITE:
        return False
    code = labels[0] in _CODE_HEAD or any(len(label) == 1 for label in labels)
    return not code or (in_url and labels[0] not in ("com", "org"))


def _own_host(match: re.Match[str]) -> bool:
    start, text = match.start(), match.string
    in_url = text.endswith("://", max(0, start - 3), start)
    if start and text[start - 1] == "/" and not in_url and match.group(0).lower().rpartition(".")[2] not in _INTERNAL:
        return False
    return is_own_host(match.group(0), in_url)


def _machine(match: re.Match[str]) -> bool:
    return is_machine(match.group(0))


def is_machine(token: str) -> bool:
    """True for `SRV-SQL-01`, `PC-12345`, `NAS01`, `DESKTOP-AB12CD3`; not for an error code, a product or a ticket key."""
    if _GENERATED.fullmatch(token):
        return True
    if _REGION.fullmatch(token) or token.lower() in _TOOLS or token.lower() in _DNS_TYPE:  # a cloud's region; not a host
        return False
    segments = _SPLIT.split(token)
    if len(segments) == 1:
        return _JOINED.fullmatch(token) is not None and not _YEAR.search(token)
    numbered = any(char.isdigit() for char in token)
    roles = [segment.rstrip("0123456789").lower() for segment in segments]
    if any(role in _STRONG for role in roles):
        return (numbered and not _YEAR.search(token)) or (token.isupper() and roles[0] in ("srv", "svr"))
    if any(_JOINED.fullmatch(segment) and not _YEAR.search(segment) for segment in segments):
        return True
    if not any(role in _WEAK for role in roles) or not numbered:
        return False
    if re.fullmatch(r"0[0-9]{1,3}[A-Za-z]?", segments[-1]):
        return True
    if (
        len(segments) == 3
        and segments[-1].isdigit()
        and len(segments[-1]) <= 3
        and {*roles[:2]} <= _WEAK
        and roles[0] != roles[1]
    ):
        return True  # vm-test-22
    return token.isupper() and len(segments) >= 3 and segments[-1].isdigit() and not _YEAR.search(token)


_NO_HOST = words_of(
    "localhost unknown none null not the is was and or a an name names error offline online down unreachable unavailable "
    "missing wrong changed inconnu unbekannt desconocido apache nginx iis tomcat microsoft linux windows macos ubuntu "
    "resolution resolved cannot can could does did has have must should may est ist es del du de la le"
)


def _labelled(match: re.Match[str]) -> bool:
    value = match["value"]
    if value.lower() in _NO_HOST or is_signal(value) or re.fullmatch(r"[0-9.]+", value):
        return False
    if "." in value:
        return is_own_host(value) or (
            match["sign"] in "=:" and _domain_of(value.lower().split(".")) is None and value[0] != "."
        )
    sure = match["sign"] in ("=", ":", ":=")
    return sure or is_mixed(value) or (value.isupper() and len(value) >= 5) or ("-" in value.strip("-") and value.isupper())


def _served(match: re.Match[str]) -> bool:
    value = match["value"]
    if value.lower() in _NO_HOST or not is_mixed(value) or (is_signal(value) and not _NUMBERED.fullmatch(value)):
        return False
    return is_machine(value) or _MACHINE_CODE.match(value) is not None


def _bare_in_url(match: re.Match[str]) -> bool:
    scheme = before(match, 12).lower()
    return match["value"].lower() not in _NO_HOST and scheme.endswith(("http://", "https://", "ldap://", "ftp://", "ldaps://"))


def _share(match: re.Match[str]) -> bool:
    value = match[match.lastgroup or 0]
    return (
        value.lower() not in _NO_HOST
        and not re.fullmatch(r"[0-9.]+|[nrt]", value)
        and _domain_of(value.lower().split(".")) is None
    )


_HYPHENED = re.compile(r"-[A-Za-z0-9]*-[A-Za-z]*[0-9]")
_LEADING_ZERO = re.compile(r"[A-Za-z_-]0[0-9](?![0-9:])")
_machine_marks = mentions("srv", "svr")
_machine_words = speaks_of("nas esx esxi wks pc laptop desktop poste serveur filer rdsh win minint ec ip")
_host_words = speaks_of(_MACHINE_WORDS)
_label_words = speaks_of(
    "hostname host computer computername machine device server servername fqdn netbios workstation nom rechnername "
    "computernamen servernamen hostnamen gerätename nombre nome computernaam servernaam data"
)


def _may_be_machine(sight: Sight) -> bool:
    if _machine_marks(sight) or _machine_words(sight):
        return True
    return sight.digits and (_LEADING_ZERO.search(sight.text) is not None or _HYPHENED.search(sight.text) is not None)


RULES = (
    Rule("HOST", _SHARE, lambda sight: "\\\\" in sight.text or "://" in sight.text, _share, "value"),
    Rule("HOST", _NAME, lambda sight: _HAS_NAME.search(sight.text) is not None, _own_host),
    Rule("HOST", _BARE_IN_URL, lambda sight: "://" in sight.text, _bare_in_url, "value"),
    Rule("HOST", _LABELLED, _label_words, _labelled, "value"),
    Rule("HOST", _CANDIDATE, _may_be_machine, _machine),
    Rule("HOST", _SERVED, lambda sight: sight.digits and _host_words(sight), _served, "value"),
)
