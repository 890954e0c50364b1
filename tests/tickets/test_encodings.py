"""cp1252 is taken when its text is plausible; other code pages go to the detector, cut and mixed files are named."""

import gzip

import pytest

from rca_dist.errors import UserError
from rca_dist.tickets.read import parse

TEXTS = {
    "fr": "id;titre\n1;Problème d’accès créée « à » l’été\n2;n° 3 où ça été dégradé, réseau rétabli\n",
    "de": "id;Titel\n1;Drucker für Büro gestört, Größe geändert\n2;Gerät überprüft\n",
    "ru": "id;тема\n1;Не работает принтер в офисе\n2;Перенастроили почтовый клиент пользователя\n",
    "pl": "id;temat\n1;Nie działa drukarka księgowości, że źle\n2;Zresetowano hasło, pamięć wyczyszczono, usługę też, łączność żąda\n",
    "cs": "id;název\n1;Tiskárna v účtárně nefunguje, příště přepínač\n2;Heslo obnoveno, potíže přestaly, záložní řešení\n",
    "tr": "id;konu\n1;Yazıcı çalışmıyor, şifre sıfırlandı\n2;Kullanıcı doğruladı, giriş yapıldı\n",
    "ja": "id,件名\n1,プリンターが動かない、ケーブルを交換しました。\n2,パスワードをリセットしました。\n",
    "zh": "id,标题\n1,打印机无法工作，更换了电缆并重新启动了打印服务器\n2,邮件已重置用户密码\n",
}


@pytest.mark.parametrize(
    ("language", "encoding"),
    [
        ("fr", "cp1252"), ("de", "cp1252"), ("ru", "cp1251"), ("ru", "iso8859_5"), ("pl", "cp1250"), ("pl", "iso8859_2"),
        ("cs", "cp1250"), ("cs", "iso8859_2"), ("tr", "cp1254"), ("ja", "shift_jis"), ("ja", "euc_jp"), ("zh", "gb18030"),
        ("ru", "utf-16-le"), ("ru", "utf-16-be"), ("ja", "utf-16"), ("zh", "utf-32"),
    ],
)  # fmt: skip
def test_bytes_come_back_as_they_were_written(language: str, encoding: str) -> None:
    header, _, body = TEXTS[language].partition("\n")
    text = header + "\n" + body * 8
    assert parse(text.encode(encoding), "t.csv").columns == parse(text.encode(), "t.csv").columns


def test_accents_far_down_decide_and_are_shown() -> None:
    text = "id;texte\n" + "1;rien de particulier ici\n" * 40_000 + "2;l’accès réseau rétabli\n"
    table = parse(text.encode("cp1252"), "t.csv")
    assert (table.encoding, table.columns["texte"][-1]) == ("cp1252", "l’accès réseau rétabli")
    assert "accès" in table.preview


def test_a_file_cut_inside_a_character() -> None:
    cut = "id;texte\n1;été\n2;fini é".encode()[:-1]
    with pytest.raises(UserError, match=r"t\.csv: the file is cut: its last 1 bytes are half a character"):
        parse(cut, "t.csv")
    table = parse(cut, "t.csv", lenient=True)
    assert (table.columns["texte"], table.dropped) == (["été"], {"cut last row": 1})
    wide = "id;texte\n1;été\n2;fini".encode("utf-16")[:-1]
    assert parse(wide, "t.csv", lenient=True).columns["texte"] == ["été"]


def test_two_encodings_in_one_file_are_named_with_the_line() -> None:
    data = "id;texte\n1;été\n2;problème réglé\n".encode() + b"3;r\xe9seau\n"
    with pytest.raises(UserError, match=r"nearly all of it is UTF-8, but byte \d+ \(line 4\) is not"):
        parse(data, "t.csv")


def test_a_cut_last_row_and_a_cut_gzip() -> None:
    data = b"id,title,text\n1,a,b\n2,c"
    with pytest.raises(UserError, match=r"the last row, row 3 .* has 2 of 3 fields: the file is cut"):
        parse(data, "t.csv")
    table = parse(data, "t.csv", lenient=True)
    assert (table.columns["id"], table.dropped) == (["1"], {"cut last row": 1})
    import random

    values = random.Random(1)
    rows = "".join(f"{n},t{values.random()},x\n" for n in range(4000))
    packed = gzip.compress(f"id,title,text\n{rows}".encode())[:-400]
    with pytest.raises(UserError, match="gzip file is cut"):
        parse(packed, "t.csv.gz")
    kept = parse(packed, "t.csv.gz", lenient=True)
    assert 3000 < kept.rows < 4000
    assert kept.columns["id"] == [str(n) for n in range(kept.rows)]


def test_title_lines_above_the_header() -> None:
    table = parse(b"Report of March\n\nid;title;text\n1;a;b\n2;c;d, e, f, g\n", "t.csv")
    assert table.columns == {"id": ["1", "2"], "title": ["a", "c"], "text": ["b", "d, e, f, g"]}
    assert table.numbers == [4, 5]
    assert any("the header is row 3" in note for note in table.notes)


def test_commas_in_the_text_do_not_win_over_the_header() -> None:
    assert parse(b"id;title;text\n1;a;b, c, d, e\n", "t.csv").columns["text"] == ["b, c, d, e"]


@pytest.mark.parametrize("text", ["a" * 200_000, '"' * 200_000, "," * 200_000, "[" * 200_000, '{"a":' * 40_000, "é" * 99_999])
@pytest.mark.parametrize("name", ["t.csv", "t.json", "t.jsonl"])
def test_long_odd_text_ends_soon(text: str, name: str) -> None:
    with pytest.raises(UserError):
        parse(text.encode(), name)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"<html><body><table>", "an HTML page"),
        (b"<?xml version='1.0'?><a/>", "an XML file"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1", r"old Excel \(\.xls\)"),
        (gzip.compress(gzip.compress(b"a,b\n1,2\n")), "a gzip file inside a gzip file"),
    ],
)
def test_files_that_are_no_text_are_named(data: bytes, message: str) -> None:
    with pytest.raises(UserError, match=message):
        parse(data, "t.csv")
