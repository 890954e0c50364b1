"""Cell cleaning, boilerplate, dates and languages."""

import datetime as dt
import pickle
import sys
from collections import Counter

import pytest

from rca_dist.errors import UserError
from rca_dist.tickets.clean import Cleaner, has_real_breaks, is_boilerplate
from rca_dist.tickets.dates import parse_dates
from rca_dist.tickets.language import detect_language
from rca_dist.tickets.words import is_missing, word_count


def clean(*cells: str) -> list[str]:
    return Cleaner().column(list(cells))


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("<p>one</p><p>two<br>three</p>", "one\n\ntwo\nthree"),
        ("<div>a</div>\n<div>b</div>", "a\nb"),
        ("<ul><li>x</li><li>y</li></ul>", "- x\n- y"),
        ("<table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table>", "a b\nc"),
        ("<p>run</p><pre>if x:\n    y()</pre>", "run\n\nif x:\n    y()"),
        ("&lt;p&gt;caf&eacute;&nbsp;&amp; co&lt;/p&gt;", "caf\u00e9 & co"),
        ("<p>ping &lt;host&gt; and <host2> if a < b</p>", "ping <host> and <host2> if a < b"),
        ("<script>x()</script><b>bold</b><style>p{}</style>", "bold"),
        ('<a href="http://x/?a=1&copy=2">link</a> to /?a=1&copy=2', "link (http://x/?a=1&copy=2) to /?a=1&copy=2"),
        (
            'see <a href="https://wiki.example.com/dns"><span>the guide</span></a>.',
            "see the guide (https://wiki.example.com/dns).",
        ),
        ('<a href="https://wiki.example.com/">wiki.example.com</a>', "wiki.example.com"),
        ('<a href="mailto:jane@example.com">Jane</a> <a href="#top">top</a> <a>none</a>', "Jane top none"),
        ('<a href="https://x.safelinks.example.com/?url=https%3A%2F%2Fa">guide</a>', "guide"),
        ('<a href="https://example.com/page?utm_source=mail">guide</a>', "guide"),
        ("<p>run</p><pre>    if x:\n        y()</pre>", "run\n\n    if x:\n        y()"),
        ("<p>run</p><pre><code>\tif x:\n\t\ty()</code></pre>", "run\n\n    if x:\n        y()"),
    ],
)
def test_html_becomes_text(raw: str, expected: str) -> None:
    assert clean(raw) == [expected]


@pytest.mark.parametrize(
    "text",
    [
        "if a < b and c > d then",
        "ssh <user>@<host> & wait",
        "AT&T; R&D",
        "List<String> x = y;",
        "/?a=1&copy=2&lt=3",
        "<title> missing",
    ],
)
def test_text_that_only_looks_like_markup_stays(text: str) -> None:
    cleaner = Cleaner()
    assert cleaner.column([text]) == [text]
    assert cleaner.counts["HTML"] == 0


def test_literal_line_breaks_only_where_the_column_has_no_real_one() -> None:
    assert clean("one.\\nTwo\\r\\nthree#(lf)four") == ["one.\nTwo\nthree\nfour"]
    assert clean("one.\\nTwo", "real\nbreak") == ["one.\\nTwo", "real\nbreak"]
    assert clean("a_x000D_\r\nb") == ["a\nb"]
    assert clean(r"see C:\new\notes and \\srv\nas, CORP\nancy") == [r"see C:\new\notes and \\srv\nas, CORP\nancy"]


def test_whitespace_and_unicode() -> None:
    assert clean("e\u0301t\u00e9\u00a0: \u200bok \r\nx\r\r\r\n\n\ny  ") == ["\u00e9t\u00e9 : ok\nx\n\ny"]
    assert clean("l\u2019\u00e9cran") == ["l\u2019\u00e9cran"]


def test_indentation_by_tabs_stays_and_other_tabs_are_spaces() -> None:
    assert clean("Traceback:\n\tat Main.run\n\t\tat Sub.run\tline 3") == [
        "Traceback:\n    at Main.run\n        at Sub.run line 3"
    ]


def test_the_caller_may_say_whether_a_column_has_real_breaks() -> None:
    assert Cleaner().column(["one.\\nTwo"], real_breaks=True) == ["one.\\nTwo"]
    assert Cleaner().column(["one.\\nTwo", "real\nbreak"], real_breaks=False)[0] == "one.\nTwo"
    assert has_real_breaks(["a", "b\r"])
    assert not has_real_breaks(["a", "b\\n"])


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("['first step', \"it's done\"]", "first step\nit's done"),
        ('["one", "two\\nlines", null]', "one\ntwo\nlines"),
        ("{'cause': 'disk full', 'codes': [4, 'E7'], 'by': None}", "cause: disk full\ncodes: 4, E7"),
        ('{"a": {"b": "c", "d": true}}', "a.b: c\na.d: true"),
        ("[{'text': 'down'}, {'text': 'up'}]", "text: down\n\ntext: up"),
        ("[{'at': array([{'id': 'w'}],\n  dtype=object), 'when': datetime.datetime(2024, 3, 5), 'text': 'caf\\u00e9'}\n {'x': 'y'}]",
         "at.id: w\nwhen: 2024-3-5\ntext: caf\u00e9\n\nx: y"),
        ("['a' 'b']", "a\nb"),
        ("['<p>one</p>', 'C:\\\\new']", "one\n\nC:\\new"),
        ("['N/A']", ""),
    ],
)  # fmt: skip
def test_lists_and_records_become_lines(raw: str, expected: str) -> None:
    cleaner = Cleaner()
    assert cleaner.column([raw]) == [expected]
    assert cleaner.counts["list or record"] == 1


@pytest.mark.parametrize(
    "text",
    ["[ERROR] disk full [sda]", "[404]", "[3, 4]", "{not a record}", "['cut of", "[RESOLVED]", "{{ user.name }}", "[a]: b [c]"],
)
def test_text_in_brackets_that_is_no_list_stays(text: str) -> None:
    assert clean(text) == [text]


def test_mojibake_is_repaired_only_when_asked_for() -> None:
    broken = "Probl\u00c3\u00a8me \u00c3 r\u00c3\u00a9seau, l\u2019\u00e9cran \u00e2\u20ac\u201c d\u00c3\u00a9j\u00c3\u00a0"
    assert clean(broken) == [broken.rstrip()]
    cleaner = Cleaner(repair_mojibake=True)
    cells = [broken, "d\u00e9j\u00e0 l\u2019\u00e9cran \u201cok\u201d \ufb01n", "plain", "\u91cd\u542f"]
    assert cleaner.column(cells) == ["Probl\u00e8me \u00e0 r\u00e9seau, l\u2019\u00e9cran \u2013 d\u00e9j\u00e0", *cells[1:]]
    assert cleaner.counts["mojibake"] == 1
    # Decoded again as a whole, the right word would turn into another one.
    assert cleaner.column(["Probl\u00c3\u00a8me r\u00c3\u00a9seau, l\u2019\u00e9cran"]) == [
        "Probl\u00e8me r\u00e9seau, l\u2019\u00e9cran"
    ]


def test_repair_without_its_package_is_one_clear_message(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ftfy", None)
    with pytest.raises(UserError, match=r"repair_mojibake=true needs the package ftfy"):
        Cleaner(repair_mojibake=True)


def test_workers_may_clean_parts_of_a_column() -> None:
    cells = ["<b>a</b>", "N/A", "x\u00a0y", "Text of it.\n\nBest regards,\nJane Roe", "one\\ntwo"]
    whole = Cleaner()
    expected = whole.column(cells)
    counts: Counter[str] = Counter()
    parts: list[str] = []
    for start in range(0, len(cells), 2):
        worker = pickle.loads(pickle.dumps(Cleaner()))
        parts += worker.column(cells[start : start + 2], real_breaks=has_real_breaks(cells))
        counts += worker.counts
    assert parts == expected
    assert counts == +whole.counts


def test_missing_words_count_only_as_whole_cells() -> None:
    cleaner = Cleaner()
    cells = ["UNKNOWN", "N/A", " nan ", "--", "None", "Non renseign\u00e9", "<p>N/A</p>", "", "unknown error", "0"]
    assert cleaner.column(cells) == [""] * 8 + ["unknown error", "0"]
    assert cleaner.counts["missing-value word"] == 7
    assert not is_missing("nanny")


@pytest.mark.parametrize(
    "answer",
    [
        "Done",
        "Solved.",
        "Issue resolved!",
        "The issue has been resolved.",
        "closed by user",
        "Thanks James",
        "See attached screenshot.",
        "voir pi\u00e8ce jointe",
        "Probl\u00e8me r\u00e9solu",
        "R\u00e9solu.",
        "Ticket clos",
        "Gel\u00f6st",
        "Problem behoben, danke",
        "Resuelto",
        "Problema risolto",
        "It works now",
        "no action required",
        "cf PJ",
        "Opgelost",
    ],
)
def test_stock_phrases_are_boilerplate(answer: str) -> None:
    assert is_boilerplate(answer)


@pytest.mark.parametrize(
    "answer",
    [
        "Thanks, restarting the spooler fixed it",
        "Resolved by replacing the cable",
        "Fixed DNS record",
        "See attached KB0012345",
        "Fermeture du port 443",
        "Closed the stale session",
        "R\u00e9solu en vidant le cache",
        "Done: rebooted srv-01",
        "next day everything worked",
    ],
)
def test_answers_that_say_something_are_not(answer: str) -> None:
    assert not is_boilerplate(answer)


def test_word_count_of_scripts_without_spaces() -> None:
    assert word_count("reset the switch") == 3
    assert word_count("\u91cd\u542f\u4e86\u90ae\u4ef6\u670d\u52a1") == 3


def utc(*parts: int) -> dt.datetime:
    return dt.datetime(*parts, tzinfo=dt.UTC)  # type: ignore[misc, arg-type]


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("2024-03-05T10:20:30Z", utc(2024, 3, 5, 10, 20, 30)),
        ("2024-03-05 10:20:30.123 +0200", utc(2024, 3, 5, 8, 20, 30)),
        ("20210721T03:00:00", utc(2021, 7, 21, 3)),
        ("12/Mar/24 9:41 PM", utc(2024, 3, 12, 21, 41)),
        ("5 f\u00e9vr. 2024", utc(2024, 2, 5)),
        ("Mar 12, 2024 12:05 AM", utc(2024, 3, 12, 0, 5)),
        ("Tue, 12 Mar 2024 10:00:00 -0700", utc(2024, 3, 12, 17)),
        ("3 de agosto de 2023", utc(2023, 8, 3)),
        ("1. Juli 2023 08:00", utc(2023, 7, 1, 8)),
        ("1709632800", utc(2024, 3, 5, 10)),
        ("2024-13-05", None),
        ("yesterday", None),
    ],
)
def test_single_dates(cell: str, expected: dt.datetime | None) -> None:
    parsed = parse_dates([cell])
    assert parsed.values == [expected]
    assert parsed.unreadable == (expected is None)


def test_day_or_month_first_is_read_from_the_whole_column() -> None:
    assert parse_dates(["06/02/2025 05:58", "13/02/2025"]).values[0] == utc(2025, 2, 6, 5, 58)
    assert parse_dates(["06/02/2025", "02/13/2025"]).values[0] == utc(2025, 6, 2)
    assert parse_dates(["05-01-2026 16:24", "25-01-2026 1:00"]).order == "day first"
    assert parse_dates(["06.02.2025"]).values == [utc(2025, 2, 6)]
    alone = parse_dates(["06/02/2025", "2025-02-06"])
    assert (alone.order, alone.values) == ("ambiguous", [None, utc(2025, 2, 6)])
    # Cells that can be read in one way only are read, even where they contradict each other.
    both = parse_dates(["13/02/2025", "02/13/2025", "06/02/2025", "2025-02-06"])
    assert (both.order, both.values) == ("ambiguous", [utc(2025, 2, 13), utc(2025, 2, 13), None, utc(2025, 2, 6)])


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("The printer on the second floor does not print since this morning", "en"),
        ("Bonjour, je ne peux pas utiliser mon \u00e9cran depuis la mise \u00e0 jour", "fr"),
        ("Der Drucker im zweiten Stock druckt seit heute Morgen nicht mehr", "de"),
        ("No puedo entrar en el correo desde que cambi\u00e9 la contrase\u00f1a de mi usuario", "es"),
        ("N\u00e3o consigo acessar o sistema e a impressora n\u00e3o funciona desde ontem", "pt"),
        ("Non riesco ad accedere alla posta e il computer \u00e8 molto lento da ieri", "it"),
        ("De printer werkt niet meer en ik kan geen documenten afdrukken van mijn laptop", "nl"),
        ("VPN ko", "und"),
        ("0x80070005 srv-01 KB5034441 10.0.19041", "und"),
    ],
)
def test_languages(text: str, language: str) -> None:
    assert detect_language(text) == language
