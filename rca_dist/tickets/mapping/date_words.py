"""Words in dates, in English, French, German, Spanish, Portuguese, Italian and Dutch: months, weekdays, time zones."""

import datetime as dt
from functools import lru_cache

# January to December, as `words.fold` leaves them.
_MONTHS = """
january february march april may june july august september october november december
janvier fevrier mars avril mai juin juillet aout septembre octobre novembre decembre
januar februar marz april mai juni juli august september oktober november dezember
enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre
janeiro fevereiro marco abril maio junho julho agosto setembro outubro novembro dezembro
gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre dicembre
januari februari maart april mei juni juli augustus september oktober november december
"""
_ODD_MONTHS = {"mrt": 3, "maerz": 3, "mrz": 3, "janner": 1, "feber": 2, "setiembre": 9, "fbr": 2, "dcm": 12}
_WEEKDAYS = """
monday tuesday wednesday thursday friday saturday sunday mon tue tues wed thu thur thurs fri sat sun
lundi mardi mercredi jeudi vendredi samedi dimanche lun mar mer jeu ven sam dim
montag dienstag mittwoch donnerstag freitag samstag sonnabend sonntag mo di mi do fr sa so
lunes martes miercoles jueves viernes sabado domingo mie jue vie sab dom
segunda terca quarta quinta sexta seg ter qua qui sex
lunedi martedi mercoledi giovedi venerdi sabato domenica gio
maandag dinsdag woensdag donderdag vrijdag zaterdag zondag ma wo vr za zo
"""
WEEKDAYS = frozenset(_WEEKDAYS.split())
# Hours ahead of UTC. Where one abbreviation is used on two continents, the one common in IT exports is meant.
_ZONES = {
    "z": 0.0, "utc": 0, "gmt": 0, "ut": 0, "wet": 0, "west": 1, "bst": 1, "cet": 1, "cest": 2, "mez": 1, "mesz": 2,
    "eet": 2, "eest": 3, "msk": 3, "trt": 3, "sast": 2, "cat": 2, "wat": 1, "eat": 3, "gst": 4, "pkt": 5, "ist": 5.5,
    "ict": 7, "wib": 7, "sgt": 8, "hkt": 8, "pht": 8, "awst": 8, "jst": 9, "kst": 9, "acst": 9.5, "acdt": 10.5,
    "aest": 10, "aedt": 11, "nzst": 12, "nzdt": 13, "brt": -3, "art": -3, "clt": -4, "ast": -4, "adt": -3, "est": -5,
    "edt": -4, "cst": -6, "cdt": -5, "mst": -7, "mdt": -6, "pst": -8, "pdt": -7, "akst": -9, "akdt": -8, "hst": -10,
    "nst": -3.5, "ndt": -2.5,
}  # fmt: skip


def _month_names() -> dict[str, int]:
    whole: dict[str, int] = {}
    short: dict[str, set[int]] = {}
    for line in _MONTHS.strip().splitlines():
        for number, name in enumerate(line.split(), start=1):
            whole[name] = number
            for length in range(3, len(name)):
                short.setdefault(name[:length], set()).add(number)
    # 'jui' begins June and July, so it is neither.
    return {name: min(found) for name, found in short.items() if len(found) == 1} | whole | _ODD_MONTHS


MONTHS = _month_names()


@lru_cache(maxsize=4096)
def zone_of(text: str) -> dt.tzinfo | None:
    """The zone of '+02:00', '-0700', 'utc+1', 'cet' or 'europe/paris' (lower-case); None when it is not known."""
    for name in ("utc", "gmt"):
        if text.startswith(name) and len(text) > 3:
            text = text[3:].strip()
    if text[:1] in ("+", "-", "\u2212"):
        return _offset(text)
    if text in _ZONES:
        return dt.timezone(dt.timedelta(hours=_ZONES[text]))
    if "/" in text:
        from zoneinfo import ZoneInfo

        for name in (text.title(), text):
            try:
                return ZoneInfo(name)
            except (OSError, ValueError, KeyError):
                continue
    return None


def _offset(text: str) -> dt.tzinfo | None:
    digits = text[1:].replace(":", "")
    hours, minutes = (digits, "0") if len(digits) <= 2 else (digits[:-2], digits[-2:])
    if not (hours.isdecimal() and minutes.isdecimal() and int(hours) <= 14 and int(minutes) < 60):
        return None
    offset = dt.timedelta(hours=int(hours), minutes=int(minutes))
    return dt.timezone(offset if text[0] == "+" else -offset)
