"""Rules for passwords and logins named in languages beside the seven that the other rules know."""

import re

from rca_dist.tickets.redaction.accounts import is_nobody
from rca_dist.tickets.redaction.base import Rule, Sight, is_mixed, mentions, speaks_of
from rca_dist.tickets.redaction.shared_secrets import is_typical

# Russian, Ukrainian, Bulgarian; Polish, Czech, Slovak, Hungarian, Romanian, Turkish, Swedish, Danish, Norwegian, Finnish,
# Croatian, Slovene, Lithuanian, Latvian, Estonian, Greek, Indonesian, Vietnamese.
_SPACED = (
    "пароль", "пароля", "паролем", "парола", "hasło", "haslo", "hasła", "heslo", "hesla", "jelszó", "jelszo", "jelszava",
    "parola", "parolă", "şifre", "şifresi", "sifre", "parolanız", "şifreniz", "lösenord", "lösenordet", "losenord",
    "adgangskode", "adgangskoden", "kodeord", "kodeordet", "passord", "passordet", "salasana", "lozinka", "zaporka", "geslo",
    "slaptažodis", "parole", "parool", "κωδικός", "κωδικος", "συνθηματικό", "kata sandi", "mật khẩu", "סיסמה", "كلمة المرور",
    "كلمة السر",
)  # fmt: skip
# Japanese, Chinese, Korean, Thai, Hindi: no space need stand behind the word.
_UNSPACED = ("パスワード", "暗証番号", "密码", "密碼", "口令", "비밀번호", "패스워드", "암호", "รหัสผ่าน", "पासवर्ड")
_LOGINS = (
    "логин", "имя пользователя", "пользователь", "учетная запись", "użytkownik", "uživatel", "používateľ", "felhasználó",
    "utilizator", "kullanıcı", "kullanıcı adı", "användare", "användarnamn", "bruger", "brugernavn", "bruker", "brukernavn",
    "käyttäjä", "käyttäjätunnus", "korisnik", "korisničko ime", "χρήστης", "ユーザー名", "ユーザーid", "ユーザー", "用户名",
    "用戶名", "帐号", "账号", "사용자", "아이디",
)  # fmt: skip
_SAID = r"(?P<sign>[:=\uff1a]|(?:is|jest|to|je|är|er|on|este|είναι|adalah|là)\b|[はがは是为為는은가])?"


def _either(words: tuple[str, ...]) -> str:
    return "|".join(re.escape(word) for word in sorted(words, key=lambda word: (-len(word), word)))


_PASSWORD = re.compile(
    rf"(?:(?<![^\W_])(?:{_either(_SPACED)})(?![^\W_])"
    rf"(?:[ \t]+[^\W\d_]{{1,20}}){{0,2}}?[ \t]*{_SAID}[ \t]*[\"'\u00ab\u201e\u201c]?"
    r"(?P<value>(?=[^\s\d!@#$%^&*_]{0,40}[\d!@#$%^&*_])[^\s\"'<>,;\u00ab\u00bb\u201d\u3001\u3002\uff0c]{4,40})"
    rf"|(?:{_either(_UNSPACED)})[ \t]*(?P<mark>[:=\uff1a]|は|が|是|为|為|는|은|가|คือ|है)?[ \t\u3000]*[\"'\u300c\u201c]?"
    r"(?P<wide>(?![:=])[!-~]{4,40}))",
    re.IGNORECASE,
)
_LOGIN = re.compile(
    rf"(?:{_either(_LOGINS)})[ \t]*(?:[:=\uff1a]|は|が|是|为|"
    rf"為)?[ \t\u3000]*[\"'\u300c]?(?P<value>[A-Za-z][A-Za-z0-9._-]{{2,30}})(?![\w@\\])",
    re.IGNORECASE,
)


def _password(match: re.Match[str]) -> bool:
    wide = match["wide"]
    value = wide or match["value"]
    sure = match["mark"] is not None if wide else match["sign"] in (":", "=", "\uff1a")
    if value[0] in "<$%{*[(" or "://" in value:
        return False
    if sure:
        marked = re.search(r"[!@#$%^&*_]", value.rstrip("!")) is not None
        return is_mixed(value) or marked or (value.isdigit() and 4 <= len(value) <= 12)
    return is_typical(value)


def _login(match: re.Match[str]) -> bool:
    value = match["value"]
    return not is_nobody(value) and (any(char in "._" or char.isdigit() for char in value) or len(value) >= 5)


_plain = speaks_of(" ".join(word for word in _SPACED if word.isascii()))
_password_marks, _login_marks = mentions(*_SPACED, *_UNSPACED), mentions(*_LOGINS)
_plain_logins = speaks_of(" ".join(word for word in _LOGINS if word.isascii()))


def _names_password(sight: Sight) -> bool:
    return _plain(sight) or (not sight.text.isascii() and _password_marks(sight))


def _names_login(sight: Sight) -> bool:
    return _plain_logins(sight) or (not sight.text.isascii() and _login_marks(sight))


RULES = (
    Rule("SECRET", _PASSWORD, _names_password, _password, "value"),
    Rule("USER", _LOGIN, _names_login, _login, "value"),
)
