"""Exports with one row per post: pairing them when the columns are named, refusing them when not."""

import pytest

from rca_dist.errors import UserError
from rca_dist.tickets.read import RawTable, parse
from rca_dist.tickets.reading import threads
from rca_dist.tickets.reading.closings import says_nothing

FORUM = (
    "Id,PostTypeId,ParentId,AcceptedAnswerId,Title,Body,CreationDate\n"
    "1,1,,3,Printer,my printer is broken today,2024-01-01\n"
    "3,2,1,,,replace the fuser unit now,2024-01-02\n"
    "2,2,1,,,turn it off and on,2024-01-03\n"
    "4,1,,,Mail,second question without an answer,2024-01-01\n"
    "5,2,9,,,its question is not here,2024-01-01\n"
)
CHAT = (
    "ticket_id,author_type,message,ts,solution\n"
    "7,agent,please restart outlook now,2024-01-01 11:00,yes\n"
    "7,requester,my mail is down today,2024-01-01 10:00,\n"
    "7,requester,thanks it works again,2024-01-01 12:00,no\n"
    "7,agent,you are very welcome,2024-01-01 13:00,\n"
    "8,requester,vpn is broken again,2024-01-01 09:00,\n"
)


def table(text: str) -> RawTable:
    return parse(text.encode(), "posts.csv")


def answers(text: str, **chosen: object) -> dict[str, str]:
    paired = threads.pair(table(text), chosen)
    column = paired.threads["answer_column"]
    key = "Id" if "Id" in paired.columns else "ticket_id"
    return dict(zip(paired.columns[key], paired.columns[column], strict=True))


@pytest.mark.parametrize(
    ("chosen", "answer"),
    [
        ({"parent": "ParentId", "accepted": "AcceptedAnswerId"}, "replace the fuser unit now"),
        ({"parent": "parent_id", "role": "PostTypeId", "accepted": "AcceptedAnswerId"}, "replace the fuser unit now"),
        ({"parent": "ParentId", "role": "PostTypeId"}, "turn it off and on"),
        ({"parent": "ParentId"}, "turn it off and on"),
    ],
)
def test_question_and_answer_become_one_row(chosen: dict[str, str], answer: str) -> None:
    paired = threads.pair(table(FORUM), chosen)
    assert paired.columns["Body"] == ["my printer is broken today"]
    assert paired.columns["answer"] == [answer]
    assert paired.place(0) == "posts.csv, row 2"
    found = {"posts": 5, "threads": 2, "pairs": 1, "without_answer": 1, "orphans": 1, "answer_column": "answer"}
    assert paired.threads == found
    reason = "thread without an accepted answer" if "accepted" in chosen else "thread without an answer"
    assert paired.dropped == {reason: 1, "post whose question is not in the export": 1}


def test_shared_thread_id_roles_and_flags() -> None:
    assert answers(CHAT, role="author_type") == {"7": "please restart outlook now"}
    assert answers(CHAT, role="author_type", parent="ticket_id") == {"7": "please restart outlook now"}
    assert answers(CHAT, parent="ticket_id", accepted="solution", role="author_type") == {"7": "please restart outlook now"}
    paired = threads.pair(table(CHAT), {"role": "author_type"})
    assert paired.columns["message"] == ["my mail is down today"]


@pytest.mark.parametrize("flag", ["true", "1", "yes", "x", "resolve", "accepted", "oui", "ja", "Vrai", "1.0"])
def test_words_for_an_accepted_answer(flag: str) -> None:
    text = f"id,parent,ok,body\n1,,,the printer is broken\n2,1,{flag},replace the fuser unit\n3,1,,thank you very much\n"
    paired = threads.pair(table(text), {"parent": "parent", "accepted": "ok"})
    assert paired.columns["answer"] == ["replace the fuser unit"]


@pytest.mark.parametrize(
    ("asks", "helps"),
    [
        ("question", "answer"),
        ("user", "assistant"),
        ("Demandeur", "Technicien"),
        ("requester", "Agent"),
        ("Kunde", "Techniker"),
    ],
)
def test_words_for_who_writes(asks: str, helps: str) -> None:
    text = f"id,parent,who,body\n1,1,{asks},it is broken\n2,1,{helps},replace the part\n3,1,{asks},thank you\n"
    assert threads.pair(table(text), {"parent": "parent", "role": "who"}).columns["answer"] == ["replace the part"]


def test_row_order_posts_that_stand_twice_and_replies_to_replies() -> None:
    header, *rows = FORUM.splitlines()
    turned = "\n".join([header, *reversed(rows), rows[1].replace("now", "at once").replace("-02", "-04")]) + "\n"
    assert answers(turned, parent="ParentId", accepted="AcceptedAnswerId") == {"1": "replace the fuser unit at once"}
    backwards = "\n".join([header, *reversed(rows)]) + "\n"
    assert answers(backwards, parent="ParentId", role="PostTypeId") == {"1": "turn it off and on"}
    nested = "id,parent,role,body\n1,,user,broken\n2,1,agent,which one\n3,2,user,this\n4,3,agent,replace it\n"
    assert threads.pair(table(nested), {"parent": "parent", "role": "role"}).columns["answer"] == ["replace it"]
    circle = nested + "5,6,user,a\n6,5,agent,b\n"
    assert threads.pair(table(circle), {"parent": "parent", "role": "role"}).threads["orphans"] == 2


def test_the_answer_column_keeps_its_name_when_it_is_another_one() -> None:
    text = "id,parent,body,reply\n1,,it is broken,\n2,1,,replace the part\n"
    chosen = {"parent": "parent", "answer": "reply", "prompt": "body"}
    paired = threads.pair(table(text), chosen)
    assert (paired.columns["body"], paired.columns["reply"]) == (["it is broken"], ["replace the part"])
    assert threads.after_pairing(chosen, paired) == {"answer": "reply", "prompt": "body"}
    same = threads.pair(table(FORUM), {"parent": "ParentId", "answer": "Body", "prompt": ["Title", "Body"]})
    assert (same.threads["answer_column"], same.columns["Body"]) == ("answer", ["my printer is broken today"])


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        ({"parent": "nothing"}, r"data\.columns\.parent=nothing: the file has no such column"),
        ({"parent": "ParentId", "role": "Title"}, r"data\.columns\.role=Title: its values .* do not say who writes"),
        ({"parent": "ParentId", "accepted": "Title"}, r"data\.columns\.accepted=Title: none of its values"),
        ({"role": "PostTypeId"}, r"nothing says which posts belong together"),
    ],
)
def test_wrong_columns_have_their_own_message(chosen: dict[str, str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        threads.pair(table(FORUM), chosen)


def test_posts_are_refused_with_the_columns_to_name() -> None:
    with pytest.raises(UserError, match=r"parent=ParentId --data\.columns\.role=PostTypeId .*accepted=AcceptedAnswerId"):
        threads.refuse_posts(table(FORUM))
    with pytest.raises(UserError, match=r"parent=ticket_id --data\.columns\.role=author_type .*accepted=solution"):
        threads.refuse_posts(table(CHAT))
    repeated = "id,body\n" + "".join(f"{n // 4},some words of post {n}\n" for n in range(40))
    with pytest.raises(UserError, match=r"most values of 'id' repeat"):
        threads.refuse_posts(table(repeated))


def test_tickets_with_a_parent_are_no_posts() -> None:
    rows = "".join(f"{n},{n - 1 if n % 2 else ''},user,title {n},we replaced the cable number {n}\n" for n in range(40))
    threads.refuse_posts(table("number,parent,type,title,resolution notes\n" + rows))
    threads.refuse_posts(table("number,title,close notes\n" + "".join(f"{n},a b,fixed it with care\n" for n in range(9))))


def test_a_long_chain_of_replies_takes_no_long_time() -> None:
    text = "id,parent,body\n0,,it is broken\n" + "".join(f"{n},{n - 1},reply {n}\n" for n in range(1, 30_000))
    assert threads.pair(table(text), {"parent": "parent"}).columns["answer"] == ["reply 29999"]


THREADS = "post_id,thread,author_type,title,body,posted,best\n" + "".join(
    f"{4 * n},T{n},user,mail {n} is down,my mail number {n} is down,2024-01-{n + 1:02d},\n"
    f"{4 * n + 1},T{n},staff,,rebuilt the profile number {n},2024-02-{n + 1:02d},yes\n"
    f"{4 * n + 2},T{n},user,,ok thanks a lot it works,2024-03-{n + 1:02d},\n"
    f'{4 * n + 3},T{n},staff,,"<p>You are welcome, closing this</p>",2024-04-{n + 1:02d},\n'
    for n in range(20)
)
STAFF = {"parent": "thread", "role": "author_type"}


def test_the_last_post_that_says_something_is_the_answer() -> None:
    paired = threads.pair(table(THREADS), STAFF)
    assert paired.columns["answer"] == [f"rebuilt the profile number {n}" for n in range(20)]
    assert paired.notes[0] == "80 posts in 20 threads: 20 questions with an answer."
    only = THREADS.replace("rebuilt the profile number 3,", "any update on this?,")
    paired = threads.pair(table(only), STAFF)
    assert (paired.threads["pairs"], paired.threads["without_answer"]) == (19, 1)
    assert paired.dropped == {"thread with thanks and closings only": 1}


@pytest.mark.parametrize(
    "post",
    [
        "You are welcome, closing this", "No problem, glad it helped!", "Happy to help. Have a nice day :)", "Any update on this?",
        "Thanks for the feedback, I will close the ticket now.", "Je vous en prie, bonne journ\u00e9e", "Gern geschehen, Thema geschlossen",
        "De nada, cierro el caso", "Graag gedaan, ticket gesloten", "My pleasure! Let me know if you need anything else.", "+1", "",
    ],
)  # fmt: skip
def test_posts_that_say_nothing(post: str) -> None:
    assert says_nothing(post)


@pytest.mark.parametrize(
    "post",
    [
        "You are welcome; the printer needed a new fuser", "Close Outlook and open it again", "Restart it, you are welcome",
        "Confirmed: update KB5034441 breaks it", "Thanks. We replaced the cable, closing this.", "Merci, le c\u00e2ble est chang\u00e9",
        "Update the driver", "welcome " * 50_000,
    ],
)  # fmt: skip
def test_posts_that_say_something(post: str) -> None:
    assert not says_nothing(post)


def test_the_thread_gives_the_ticket_its_id_and_the_question_its_date() -> None:
    paired = threads.pair(table(THREADS), STAFF)
    chosen = threads.after_pairing(STAFF, paired)
    assert chosen == {"answer": "answer", "id": "thread", "created_at": "posted"}
    assert paired.columns["thread"][:2] == ["T0", "T1"]
    assert paired.columns["posted"][1] == "2024-01-02"
    named = STAFF | {"id": "post_id", "created_at": "posted"}
    kept = threads.after_pairing(named, threads.pair(table(THREADS), named))
    assert (kept["id"], kept["created_at"]) == ("post_id", "posted")
    assert "id_column" not in threads.pair(table(FORUM), {"parent": "ParentId"}).threads


def test_the_hint_names_only_columns_that_are_there() -> None:
    with pytest.raises(UserError, match=r"parent=thread --data\.columns\.role=author_type --data\.columns\.accepted=best\.$"):
        threads.refuse_posts(table(THREADS))
    without = "\n".join(line.rpartition(",")[0] for line in THREADS.splitlines()) + "\n"
    with pytest.raises(UserError, match=r"parent=thread --data\.columns\.role=author_type\.$"):
        threads.refuse_posts(table(without))
    best = threads.pair(table(THREADS), STAFF | {"accepted": "best"})
    assert best.columns["answer"][0] == "rebuilt the profile number 0"
