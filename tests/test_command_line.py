"""Command line and config: every form accepted, every problem named at once."""

import json

import pytest
import yaml

from rca_dist import cli
from rca_dist.command_line import help_text, known_keys, parse
from rca_dist.config import Config
from rca_dist.errors import UserError


def problems(*argv):
    with pytest.raises(UserError) as caught:
        parse(list(argv))
    return str(caught.value)


def test_three_forms_of_an_override_agree():
    forms = [["--train.max_steps=7"], ["--train.max_steps", "7"], ["train.max_steps=7"]]
    assert {parse(form).config.train.max_steps for form in forms} == {7}


@pytest.mark.parametrize(("text", "key", "value"), [
    ("train.learning_rate=1e-4", "learning_rate", 1e-4),
    ("train.betas=0.8,0.9", "betas", (0.8, 0.9)),
    ("train.betas=[0.8, 0.9]", "betas", (0.8, 0.9)),
    ("train.warmup_steps=none", "warmup_steps", None),
    ("train.precision=fp32", "precision", "fp32"),
])  # fmt: skip
def test_values_take_the_type_of_their_key(text, key, value):
    assert getattr(parse([text]).config.train, key) == value


def test_a_word_for_a_list_stays_a_word():
    values = {
        text: parse(["lora.r=4", f"lora.target_modules={text}"]).config.lora.target_modules for text in ("all-linear", "q,v")
    }
    assert values == {"all-linear": "all-linear", "q,v": ["q", "v"]}


def test_text_stays_text():
    config = parse(["data.columns.id=00123", "--data.columns.prompt=a,b", "data.delimiter=;", "run.name=yes"]).config
    assert (config.data.columns.id, config.data.columns.prompt, config.data.delimiter, config.run.name) == (
        "00123", ["a", "b"], ";", "yes")  # fmt: skip


def test_a_switch_needs_no_value():
    assert parse(["--run.overwrite"]).config.run.overwrite
    assert parse(["--run.overwrite", "train.max_steps=3"]).config.train.max_steps == 3
    assert not parse(["--run.overwrite", "false"]).config.run.overwrite


def test_later_sources_win(tmp_path):
    first, second = tmp_path / "a.yaml", tmp_path / "b.yaml"
    first.write_text("train: {max_steps: 1, log_steps: 1}\nrun: {seed: 1}\n")
    second.write_text("train: {max_steps: 2}\n")
    config = parse([f"--config={first}", "run.seed=9", "--config", str(second)]).config
    assert (config.train.max_steps, config.train.log_steps, config.run.seed) == (2, 1, 9)


def test_all_problems_stand_in_one_message(tmp_path):
    file = tmp_path / "c.yaml"
    file.write_text("train: {lerning_rate: 1}\neval: {splits: [tset]}\nnonsense: 3\n")
    text = problems(
        "--config", str(file), "train.max_length=-5", "--split.folds=1", "loose", "--train.epochs", "--config=no.yaml"
    )
    parts = ["did you mean train.learning_rate?", "eval.splits", "nonsense", "train.max_length=-5", "greater", "'loose'",
             "--train.epochs (command line): a value is missing", "no.yaml: no such file"]  # fmt: skip
    assert [part for part in parts if part not in text] == []
    assert text.startswith("8 problems")


def test_cross_checks_are_told_beside_field_errors():
    text = problems("split.test_size=0.6", "split.validation_size=0.6", "train.max_length=1", "prompt.template=none here")
    assert "split.test_size + split.validation_size" in text
    assert "train.max_length=1" in text
    assert "{ticket}" in text


@pytest.mark.parametrize(("argv", "part"), [
    (["split.folds=3", "split.fold=3"], "split.fold=3 must be below"),
    (["split.file=x.csv"], "goes with split.kind=file"),
    (["model.name_or_path=builtin:huge"], "builtin:tiny, builtin:small, builtin:base"),
    (["data.path=builtin:cats"], "builtin:tickets"),
    (["train.learning_rate=nan"], "finite"),
])  # fmt: skip
def test_cross_problems(argv, part):
    assert part in problems(*argv)


@pytest.mark.parametrize(("text", "part"), [("a: [1", "line"), ("- 1", "expected sections"), ("a: 'x", "not valid YAML")])
def test_broken_yaml_is_named_with_its_file(tmp_path, text, part):
    file = tmp_path / "broken.yaml"
    file.write_text(text)
    message = problems(f"--config={file}")
    assert part in message
    assert "broken.yaml" in message


def test_a_section_is_no_key(tmp_path):
    file = tmp_path / "c.yaml"
    file.write_text("train: 5\n")
    for argv in (["--train=5"], ["--train", "5"], [f"--config={file}"]):
        text = problems(*argv)
        assert "train is a section, e.g. train: {max_steps: 5}" in text and "did you mean" not in text
    assert "data is a section, e.g. data: {path: ...}" in problems("--data=tickets.csv")
    assert "data.columns is a section" in problems("--data.columns=a")


@pytest.mark.parametrize(("given", "meant"), [
    ("--dryrun", "--dry_run"), ("--print-configs", "--print_config"), ("--dry-runs=true", "--dry_run"),
    ("--show-prompt", "rca-dist data FILE --show-prompts"), ("--show-prompts", "rca-dist data FILE --show-prompts"),
])  # fmt: skip
def test_a_flag_not_quite_right_is_suggested(given, meant):
    text = problems(given, "--train.max_steps=3")
    assert f"did you mean {meant}?" in text and text.startswith("a problem")


@pytest.mark.parametrize("command", ["data", "report", "clean", "schema"])
@pytest.mark.parametrize("arguments", [["--help"], ["-h"], ["x", "--help"]])
def test_every_command_has_help(command, arguments, capsys):
    assert cli._dispatch([command, *arguments]) == 0
    assert capsys.readouterr().out == cli.USAGE


def test_a_printed_config_comes_with_its_notes(capsys):
    assert cli._dispatch(["train", "--print_config", "--learning_rate=1e-3"]) == 0
    out, err = capsys.readouterr()
    assert yaml.safe_load(out)["train"]["learning_rate"] == 1e-3
    assert err == "note: --learning_rate=1e-3 is train.learning_rate=1e-3 here\n"


def test_made_up_tickets_replace_no_file(tmp_path, capsys):
    file = tmp_path / "tickets.csv"
    arguments = ["data", "--generate", "20", "--output", str(file)]
    assert cli._dispatch(arguments) == 0
    before = file.read_bytes()
    with pytest.raises(UserError, match=r"tickets\.csv exists already; give another name or remove it"):
        cli._dispatch([*arguments, "--seed=1"])
    assert file.read_bytes() == before


def test_a_schema_replaces_only_a_schema(tmp_path):
    file = tmp_path / "schema.json"
    assert cli._dispatch(["schema", str(file)]) == 0
    file.write_text(json.dumps({"title": "rca_dist settings"}))
    assert cli._dispatch(["schema", str(file)]) == 0
    assert len(file.read_text()) > 1000
    for content in ("mine", '{"title": "other"}', "[]"):
        file.write_text(content)
        with pytest.raises(UserError, match=r"schema\.json exists already; give another name or remove it"):
            cli._dispatch(["schema", str(file)])
        assert file.read_text() == content
    with pytest.raises(UserError, match="cannot be written"):
        cli._dispatch(["schema", str(tmp_path / "none" / "schema.json")])


def test_yaml_runs_no_code(tmp_path):
    file = tmp_path / "evil.yaml"
    file.write_text(f"run: {{name: !!python/object/apply:os.system ['touch {tmp_path}/hit']}}\n")
    problems(f"--config={file}")
    assert not (tmp_path / "hit").exists()


def test_printed_config_repeats_the_run(tmp_path):
    config = parse(["train.max_steps=5", "run.name=n", "run.output_dir=o", "data.columns.prompt=a,b", "tracking.tags=x"]).config
    file = tmp_path / "config.yaml"
    file.write_text(config.to_yaml())
    again = parse([f"--config={file}"]).config
    assert again.run.name is None
    assert again.run.output_dir is None
    assert again.computed_hash("d") == config.computed_hash("d")
    assert again.model_dump(exclude={"run"}) == config.model_dump(exclude={"run"})
    assert set(yaml.safe_load(config.to_yaml())["run"]) == {"seed", "deterministic"}


def test_hash_follows_what_is_computed_and_nothing_else():
    base = parse([]).config.computed_hash("d")
    how = [
        "train.max_tokens_per_micro_batch=64",
        "run.output_dir=x",
        "tracking.wandb=disabled",
        "train.log_steps=1",
        "dist.timeout_seconds=20",
    ]
    assert {parse([text]).config.computed_hash("d") for text in how} == {base}
    what = [
        "train.max_steps=3",
        "run.seed=1",
        "train.precision=fp32",
        "split.seed=2",
        "prompt.template=a{ticket}",
        "data.redact=false",
    ]
    assert len({parse([text]).config.computed_hash("d") for text in what} | {base}) == len(what) + 1
    assert parse([]).config.computed_hash("e") != base


def test_the_place_of_a_file_is_not_what_is_computed(tmp_path):
    a, b = (parse([f"data.path={tmp_path}/{name}/t.csv"]).config.computed_hash("same") for name in "ab")
    assert a == b


def test_help_names_every_key_with_its_meaning():
    text = help_text("x")
    assert len(known_keys()) > 50
    assert all(f"--{key} " in text for key in known_keys())
    assert all(field.description for field in known_keys().values())


def test_epochs_default_gives_small_files_enough_steps():
    assert [Config().default_epochs(n) for n in (16, 160, 1481, 100_000)] == [50, 45, 5, 5]
    assert parse(["model.name_or_path=org/model"]).config.default_epochs(10) == 3
    assert parse(["train.epochs=0.5"]).config.default_epochs(10) == 0.5


def test_the_printed_config_knows_how_many_processes_there_will_be(capsys):
    from rca_dist import cli

    assert cli.train(["--num_processes", "2", "--per_device_train_batch_size", "3", "--print_config"]) == 0
    printed = capsys.readouterr()
    assert yaml.safe_load(printed.out)["train"]["global_batch_size"] == 6
    assert "x 2 processes is train.global_batch_size=6" in printed.err
