"""Invented personal data and secrets in the forms that people write, by kind; nothing here belongs to anybody.

Addresses come from the ranges set aside for documentation (example.com, 192.0.2.0/24, 198.51.100.0/24,
203.0.113.0/24, 2001:db8::/32, French numbers 01 99 00 xx xx, American numbers 555-01xx); card numbers are the published
test numbers of the payment networks; other numbers are drawn and given the check digit that they need.
"""

from collections.abc import Callable
from random import Random

_FIRST = ("amelie", "bruno", "carla", "damien", "elise", "farid", "gaelle", "hugo", "ines", "jonas")
_LAST = ("martinon", "duverger", "lacombe", "okafor", "petersen", "rossignol", "tanaka", "vandamme")
_NETS = ("192.0.2", "198.51.100", "203.0.113")
_LETTERS = "TRWAGMYFPDXBNJZSQVHLCKE"
_CARDS = (
    "4111 1111 1111 1111", "4012 8888 8888 1881", "5555 5555 5555 4444", "5105 1051 0510 5100", "6011 1111 1111 1117",
    "3530 1113 3330 0000", "3782 822463 10005", "3714 496353 98431",
)  # fmt: skip
_BANKS = (("FR", "3000600001{:011d}89"), ("DE", "37040044{:010d}"), ("GB", "NWBK601613{:08d}"), ("ES", "210004184502{:08d}"))
_HEX, _UPPER = "0123456789abcdef", "ABCDEFGHJKLMNPQRSTUVWXYZ"
_MIXED = "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"


def _text(rng: Random, letters: str, length: int) -> str:
    return "".join(rng.choices(letters, k=length))


def _name(rng: Random) -> tuple[str, str]:
    return rng.choice(_FIRST), rng.choice(_LAST)


def _email(rng: Random) -> str:
    first, last = _name(rng)
    return rng.choice((f"{first}.{last}", f"{first[0]}.{last}", f"{first}_{last}{rng.randrange(10, 99)}")) + "@example.com"


def _ip(rng: Random) -> str:
    return f"{rng.choice(_NETS)}.{rng.randrange(1, 255)}"


def _ipv6(rng: Random) -> str:
    parts = [f"{rng.randrange(1, 65536):x}" for _ in range(6)]
    return "2001:db8:" + rng.choice((":".join(parts), f":{parts[0]}", f"{parts[0]}::{parts[1]}"))


def _phone(rng: Random) -> str:
    a, b = rng.randrange(100), rng.randrange(100)
    return rng.choice(
        (
            f"+33 1 99 00 {a:02d} {b:02d}", f"01 99 00 {a:02d} {b:02d}", f"01.99.00.{a:02d}.{b:02d}",
            f"0033 1 99 00 {a:02d} {b:02d}",
            f"+33 (0)1 99 00 {a:02d} {b:02d}", f"(202) 555-01{a:02d}", f"202-555-01{b:02d}", f"+1 202 555 01{a:02d}",
            f"+44 20 7946 0{b:03d}", f"01\u00a099\u00a000\u00a0{a:02d}\u00a0{b:02d}",
        )
    )  # fmt: skip


def _login(rng: Random) -> str:
    first, last = _name(rng)
    return rng.choice(
        (first[0] + last, f"{first}.{last}", f"u{rng.randrange(10000, 999999)}", f"{first[0]}{last}{rng.randrange(2, 99)}")
    )


def _host(rng: Random) -> str:
    role, number = rng.choice(("srv", "pc", "nas")), rng.randrange(10, 99)
    code = "".join(rng.choices(_UPPER + "23456789", k=6)) + str(rng.randrange(10))
    return rng.choice(
        (
            f"{role}-{number}.corp.example.com", f"{role}{number}.example.local", f"{role.upper()}-SQL-{number:02d}",
            f"PC-{rng.randrange(10000, 99999)}", f"DESKTOP-{code}", f"LAPTOP-{code}", f"LYO-SRV-{number}", f"NAS{number:02d}",
            f"SRVAPP{number}",
        )
    )  # fmt: skip


def _password(rng: Random) -> str:
    word = rng.choice(("Hiver", "Soleil", "Winter", "Castle"))
    return rng.choice((f"{word}{rng.randrange(2019, 2026)}!x{rng.randrange(10, 99)}", f"{word}{rng.randrange(10, 99)}#"))


def _token(rng: Random) -> str:
    return rng.choice(
        (
            "ghp_" + _text(rng, _MIXED, 36), "AKIA" + _text(rng, _UPPER, 16), "glpat-" + _text(rng, _MIXED, 20) + "7",
            "xoxb-" + _text(rng, "0123456789", 12) + "-" + _text(rng, _MIXED, 24), "sk_live_" + _text(rng, _MIXED, 24),
            f"eyJ{_text(rng, _MIXED, 20)}.eyJ{_text(rng, _MIXED, 40)}.{_text(rng, _MIXED, 43)}",
            "npm_" + _text(rng, _MIXED, 36), "AIza" + _text(rng, _MIXED, 35),
        )
    )  # fmt: skip


def _mac(rng: Random) -> str:
    pairs = ["00", "00", "5e", "00", "53", f"{rng.randrange(256):02x}"]
    joined = "".join(pairs)
    return rng.choice((":".join(pairs), "-".join(pairs).upper(), f"{joined[:4]}.{joined[4:8]}.{joined[8:]}"))


def _iban(rng: Random) -> str:
    country, form = rng.choice(_BANKS)
    body = form.format(rng.randrange(10**8))
    check = 98 - int("".join(str(int(char, 36)) for char in body + country + "00")) % 97
    number = f"{country}{check:02d}{body}"
    return rng.choice((number, " ".join(number[at : at + 4] for at in range(0, len(number), 4))))


def _card(rng: Random) -> str:
    number = rng.choice(_CARDS)
    return number.replace(" ", rng.choice((" ", "-", "")))


def _national(rng: Random) -> str:
    born = f"{rng.randrange(50, 99)}{rng.randrange(1, 13):02d}"
    body = f"{rng.choice('12')}{born}{rng.randrange(1, 96):02d}{rng.randrange(1, 999999):06d}"
    key = 97 - int(body) % 97
    spaced = f"{body[0]} {body[1:3]} {body[3:5]} {body[5:7]} {body[7:10]} {body[10:]} {key:02d}"
    number, foreign = rng.randrange(10**7, 10**8), rng.randrange(10**6, 10**7)
    return rng.choice(
        (
            f"{rng.randrange(100, 665)}-{rng.randrange(10, 99)}-{rng.randrange(1000, 9999)}", spaced, f"{body}{key:02d}",
            f"AB{rng.randrange(10**5, 10**6)}{rng.choice('ABCD')}", f"{number}{_LETTERS[number % 23]}",
            f"X{foreign}{_LETTERS[foreign % 23]}", "RSSMRA85T10A562S",
        )
    )  # fmt: skip


def _birth_date(rng: Random) -> str:
    day, month, year = rng.randrange(1, 29), rng.randrange(1, 13), rng.randrange(1950, 2005)
    return rng.choice((f"{day:02d}/{month:02d}/{year}", f"{year}-{month:02d}-{day:02d}", f"{day:02d}.{month:02d}.{year}"))


def _url(rng: Random) -> str:
    return f"https://{_login(rng)}:{_text(rng, _MIXED, 10)}@git.example.com/tools.git"


def _person(rng: Random) -> str:
    first, last = _name(rng)
    return f"{first.title()} {last.title()}"


MAKERS: dict[str, Callable[[Random], str]] = {
    "EMAIL": _email, "IP": lambda rng: (_ip if rng.random() < 0.8 else _ipv6)(rng), "PHONE": _phone, "USER": _login,
    "HOST": _host,
    "SECRET": lambda rng: (_password if rng.random() < 0.6 else _token)(rng), "MAC": _mac, "IBAN": _iban, "CARD": _card,
    "NATIONAL_ID": _national, "BIRTHDATE": _birth_date, "URL": _url, "PERSON": _person,
}  # fmt: skip

SENTENCES: dict[str, dict[str, tuple[str, ...]]] = {
    "en": {
        "EMAIL": ("You can write to me at {}.", "My address is {} as always.", "Please copy {} on the answer."),
        "IP": ("My address on the network is {}.", "The ping to {} fails.", "It happens at http://{}/login too."),
        "PHONE": ("My phone number is {}.", "Please call me at {}.", "Tel.: {}"),
        "USER": (
            "The log lies in C:\\Users\\{}\\AppData\\Local\\Temp.", "My user id: {}", "I sign in as CORP\\{} at work.",
            "login = {}", "The username is {}.", "The file is in /home/{}/tickets on the server.",
        ),
        "HOST": (
            "The machine is called {}.", "It runs on {} in the basement.", "hostname: {}",
            "The files are on \\\\{}\\team today.",
        ),
        "SECRET": (
            "password: {}", "The password is {}", "My password {} is refused.", "My password was changed to {}",
            "token={}",
        ),
        "MAC": ("The MAC address is {}.", "The adapter shows {} on its label."),
        "IBAN": ("The account is {}.", "IBAN: {}"),
        "CARD": ("The card {} was refused.", "Card number: {}"),
        "NATIONAL_ID": ("The form asks for {} again.", "My id number is {}."),
        "BIRTHDATE": ("I was born on {}.", "Date of birth: {}"),
        "URL": ("I cloned {} this morning.",),
        "PERSON": ("My name is {}.", "Caller: {}", "Mr. {} has the same problem.", "It was reported by {} first."),
    },
    "fr": {
        "EMAIL": ("Vous pouvez m’écrire à {}.", "Mon adresse est {} comme toujours.", "Merci de mettre {} en copie."),
        "IP": (
            "Mon adresse sur le réseau est {}.", "Le ping vers {} échoue.",
            "Cela arrive aussi sur http://{}/login ici.",
        ),
        "PHONE": ("Mon numéro de téléphone est le {}.", "Merci de me rappeler au {}.", "Tél. : {}"),
        "USER": (
            "Le journal se trouve dans C:\\Users\\{}\\AppData\\Local\\Temp.", "Mon identifiant : {}",
            "Je me connecte avec CORP\\{} ici.",
            "login = {}", "nom d'utilisateur : {}", "Le fichier est dans /home/{}/tickets sur le serveur.",
        ),
        "HOST": (
            "La machine s’appelle {}.", "Cela tourne sur {} au sous-sol.", "nom du poste : {}",
            "Les fichiers sont sur \\\\{}\\equipe ici.",
        ),
        "SECRET": (
            "mot de passe : {}", "Le mot de passe est {}", "Mon mot de passe {} est refusé.", "mdp: {}", "token={}",
        ),
        "MAC": ("L’adresse MAC est {}.", "La carte porte {} sur son étiquette."),
        "IBAN": ("Le compte est {}.", "IBAN : {}"),
        "CARD": ("La carte {} a été refusée.", "Numéro de carte : {}"),
        "NATIONAL_ID": ("Le formulaire redemande {} ici.", "Mon numéro est {}."),
        "BIRTHDATE": ("Je suis né le {}.", "Date de naissance : {}"),
        "URL": ("J’ai cloné {} ce matin.",),
        "PERSON": ("Je m’appelle {}.", "Demandeur : {}", "Mme {} a le même problème.", "Signalé par {} en premier."),
    },
}  # fmt: skip
