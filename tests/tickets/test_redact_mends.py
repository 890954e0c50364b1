"""Forms that a fresh user's tickets held: people of the export's own columns, mentions, commands, devices; and their doubles."""

import pickle
import time

import pytest
from redaction_mends import GONE, KEPT

from rca_dist.tickets.clean import Cleaner
from rca_dist.tickets.reading.comment_lists import document_text
from rca_dist.tickets.redact import Redactor
from rca_dist.tickets.redaction.known_people import people_columns


@pytest.mark.parametrize(("kind", "text", "value"), GONE, ids=[f"{kind}-{at}" for at, (kind, _, _) in enumerate(GONE)])
def test_what_must_go_goes_and_stays_gone(kind: str, text: str, value: str) -> None:
    redactor = Redactor()
    after = redactor.redact_ticket([text])[0]
    assert value not in after
    assert redactor.counts[kind] > 0
    assert Redactor().redact_ticket([after]) == [after]


@pytest.mark.parametrize("text", KEPT)
def test_what_looks_alike_stays(text: str) -> None:
    assert Redactor().redact_ticket([text]) == [text]


NAMED = "Karim Benali and Benali, Karim: K. Benali saw KARIM BENALI; Benali left with Karims bag; kbenali, karim.benali"


@pytest.mark.parametrize(
    "cell",
    ["Karim Benali", "Benali, Karim", "karim.benali@example.com", "Karim Benali (kbenali)", "Benali, Karim <kb@example.com>"],
)
def test_a_person_of_a_column_goes_in_every_form(cell: str) -> None:
    redactor = Redactor()
    after = redactor.redact_ticket([NAMED], people=[cell])
    assert after == ["<PERSON> and <PERSON>: <PERSON> saw <PERSON>; <PERSON> left with <PERSON> bag; <USER_2>, <USER>"]
    assert redactor.counts["PERSON"] == 6
    assert Redactor().redact_ticket(after, people=[cell]) == after


def test_columns_that_hold_people_are_known_by_name() -> None:
    names = ["Number", "Caller", "u_requested_for", "assigned_to.display_value", "fields.reporter.displayName", "Créé par",
             "Custom field (Affected user)", "Assignment group", "User impact", "Description", "Zugewiesen an", "Contact type"]  # fmt: skip
    assert people_columns(names) == [
        "Caller", "u_requested_for", "assigned_to.display_value", "fields.reporter.displayName", "Créé par",
        "Custom field (Affected user)", "Zugewiesen an",
    ]  # fmt: skip


def test_a_login_of_a_column_goes_in_any_case() -> None:
    assert Redactor().redact_ticket(["KBENALI and kbenali, not kbenali2"], people=["CONTOSO\\kbenali"]) == [
        "<USER> and <USER>, not kbenali2"
    ]


TEAMS = [
    "Service Desk", "IT Support", "Network Team", "", " ", "system", "admin", "Administrator", "integration.user", "svc_backup",
    "Wintel Squad", "Data Center Operations", "12345", "6816f79cc0a8016401c5a33be04be441", "Monitoring", "Guest", "Unassigned",
    "Équipe réseau", "it.support@example.com", "Tier 2", "SAP Basis", "Linux Admins", "N/A", "-", "noreply@example.com",
]  # fmt: skip


@pytest.mark.parametrize("cell", TEAMS)
def test_teams_and_systems_name_nobody(cell: str) -> None:
    text = "The Service Desk, IT Support, the Network Team of system admin Administrator integration.user svc_backup Wintel \
Monitoring Data Center Basis SAP Linux Admins Équipe réseau Guest 12345 Unassigned Tier 2, N/A"
    assert Redactor().redact_ticket([text], people=[cell]) == [text]


def test_names_that_are_ordinary_words_go_as_full_names_only() -> None:
    texts = ["Mark the ticket, Will Page called; Mark Price asked. Price is high; April too"]
    assert Redactor().redact_ticket(texts, people=["Mark Price", "Will Page"]) == [
        "Mark the ticket, <PERSON_2> called; <PERSON> asked. Price is high; April too"
    ]


def test_names_of_several_words_scripts_and_people() -> None:
    cells = ["Tom van den Berg; Łukasz Żółć", "田中太郎", "O'Connor, Siobhan"]
    texts = ["Tom van den Berg met Żółć and O'Connor", "担当者は田中太郎です。 The van is parked."]
    assert Redactor().redact_ticket(texts, people=cells) == [
        "<PERSON> met <PERSON_3> and <PERSON_2>",
        "担当者は<PERSON_4>です。 The van is parked.",
    ]


def test_a_surname_found_with_its_first_name_goes_alone_too() -> None:
    texts = ["Demandeur : DUPONT Jean", "DUPONT confirme, Jean aussi; Code: 5"]
    assert Redactor().redact_ticket(texts) == ["Demandeur : <PERSON>", "<PERSON> confirme, <PERSON> aussi; Code: 5"]


def test_a_surname_after_a_title_is_the_person_of_that_full_name_unless_two_have_it() -> None:
    assert Redactor().redact_ticket(["Caller: Jane Roe", "called Mrs Roe"]) == ["Caller: <PERSON>", "called Mrs <PERSON>"]
    assert Redactor().redact_ticket(["Caller: Jane Roe", "Caller: Tom Roe", "called Mr Roe"])[2] == "called Mr <PERSON_3>"


def test_a_mention_in_a_document_tree_goes_also_with_one_word() -> None:
    mention = {"type": "mention", "attrs": {"id": "5b10", "text": "@bob"}}
    paragraph = {"type": "paragraph", "content": [mention, {"type": "text", "text": " please restart it"}]}
    text = document_text({"type": "doc", "content": [paragraph]})
    assert Redactor().redact_ticket([text]) == ["[~<USER>] please restart it\n"]


def test_xml_credentials_outlive_cleaning_for_redaction_to_find() -> None:
    cleaned = Cleaner().column(["Trace: <username>pgarcia</username><password>toledo77</password> sent twice today"])[0]
    after = Redactor().redact_ticket([cleaned])[0]
    assert "pgarcia" not in after
    assert "toledo77" not in after


def test_redaction_with_people_travels_and_takes_linear_time() -> None:
    redactor = pickle.loads(pickle.dumps(Redactor()))
    started = time.process_time()
    redactor.redact_ticket(["Karim Benali " * 15_000, "kbenali, " * 20_000], people=["Karim Benali (kbenali)"] * 50)
    assert time.process_time() - started < 5


PIECES = (
    "<USER>, a ", "@Aa ", "[~a", "<password>", "user a/b", "admin/", "password a b c ", "passphrase aaaa ", "пароль ", "密码", "Aa Aa (",
    "assigned to ", "account for ", "- Aa Aa ", "1/1 10:10 Aa Aa ", "User Aa ", "firmware 1.2.3.4 to ", "a@b", "ssh ", "Aas-iPhone-",
    "file://", "ext ", "Set-ADUser ", "net user a ", "ConvertTo-SecureString ", "Aa Aa wrote ", "a1, ",
)  # fmt: skip


@pytest.mark.parametrize("piece", PIECES)
@pytest.mark.timeout(20)
def test_hostile_text_takes_linear_time(piece: str) -> None:
    text = (piece * (200_000 // len(piece) + 1))[:200_000]
    started = time.process_time()
    assert isinstance(Redactor().redact_ticket([text])[0], str)
    assert time.process_time() - started < 5
