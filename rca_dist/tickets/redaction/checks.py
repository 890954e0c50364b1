"""Check digits and letters of numbers that people carry: they tell a card or an identity number from any other number."""

import re

LETTERS = "TRWAGMYFPDXBNJZSQVHLCKE"  # of the Spanish DNI and NIE, by remainder of 23
_NO_NINO = frozenset({"BG", "GB", "NK", "KN", "TN", "NT", "ZZ"})
# Values of the characters of the Italian fiscal code that stand in odd places (0-9 and A-Z).
_ODD = dict(
    zip(
        "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ",
        [
            *(1, 0, 5, 7, 9, 13, 15, 17, 19, 21),
            *(1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23),
        ],
        strict=True,
    )
)


def luhn_holds(digits: list[int]) -> bool:
    """True when the digits end in their Luhn check digit."""
    doubled = [digit if place % 2 == 0 else sum(divmod(2 * digit, 10)) for place, digit in enumerate(reversed(digits))]
    return sum(doubled) % 10 == 0


def nir_holds(match: re.Match[str]) -> bool:
    """True for a French social security number of 15 characters with a right key (97 minus the rest by 97)."""
    number = re.sub(r"[\W_]", "", match.group(0)).upper().replace("2A", "19", 1).replace("2B", "18", 1)
    return number.isdigit() and len(number) == 15 and 97 - int(number[:13]) % 97 == int(number[13:])


def nino_holds(match: re.Match[str]) -> bool:
    """True unless the prefix of a British national insurance number is one that is never given out."""
    return match.group(0)[:2] not in _NO_NINO


def spanish_holds(match: re.Match[str]) -> bool:
    """True for a Spanish DNI or NIE whose last letter fits the number."""
    number = re.sub(r"[.-]", "", match.group(0))
    body = number[:-1].replace("X", "0").replace("Y", "1").replace("Z", "2")
    return 7 <= len(body) <= 8 and LETTERS[int(body) % 23] == number[-1]


def codice_fiscale_holds(match: re.Match[str]) -> bool:
    """True for an Italian fiscal code whose last letter fits the fifteen characters before it."""
    code = match.group(0).replace(" ", "").upper()
    even = sum(int(char, 36) - (10 if char.isalpha() else 0) for char in code[1:15:2])
    return (sum(_ODD[char] for char in code[0:15:2]) + even) % 26 == ord(code[15]) - ord("A")
