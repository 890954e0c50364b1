"""The table of faults in docs/reliability.md: how notes become rows, and that the page's table is one the script wrote."""

import json

from fault_rows import VARIABLE, record, table


def test_notes_become_rows_only_where_they_say_the_same(tmp_path, monkeypatch):
    told = {"fault": "killed", "happened": "gone on with", "lost": "nothing"}
    monkeypatch.delenv(VARIABLE, raising=False)
    record(injected="not noted", **told)  # fmt: skip
    monkeypatch.setenv(VARIABLE, str(tmp_path / "notes"))
    record(injected="early", measured={"s": 0.61}, back_end="ddp", world=3, **told)  # fmt: skip
    record(injected="early", measured={"s": 2.14}, back_end="ddp", world=2, **told)  # fmt: skip
    record(injected="late", back_end="fsdp2", world=2, lora=True, **told)  # fmt: skip
    record(injected="file | byte", **told | {"fault": "damaged"})  # fmt: skip
    record(injected="later", back_end="fsdp2", world=2, lora=True, **told)  # fmt: skip
    notes = [json.loads(line) for line in (tmp_path / "notes").read_text().splitlines()]
    assert notes[0]["test"].endswith("::test_notes_become_rows_only_where_they_say_the_same")
    assert table(notes)[2:] == [
        "| killed | early | gone on with; 0.61 to 2.1 s | nothing | DDP 2 and 3 |",
        "| killed | late; later | gone on with | nothing | FSDP2 2 with LoRA |",
        "| damaged | file \\| byte | gone on with | nothing | 1 process |",
    ]


def test_the_page_s_table_is_between_its_marks():
    from write_fault_table import BEGIN, END, PAGE, written

    text = PAGE.read_text()
    assert written(text, BEGIN + text.partition(BEGIN)[2].partition(END)[0] + END) == text
    rows = [line for line in text.partition(BEGIN)[2].partition(END)[0].splitlines() if line.startswith("| ")]
    assert rows[0] == table([])[0]
    assert len(rows) > 20
    assert all(len(row.replace("\\|", "").strip("| ").split(" | ")) == 5 for row in rows)
