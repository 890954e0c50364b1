"""Every cross-field problem, every trap of YAML, the schema."""

import json
from pathlib import Path

import pytest

from rca_dist.command_line import known_keys, parse
from rca_dist.config import json_schema
from rca_dist.errors import UserError

ROOT = Path(__file__).resolve().parents[1]
CROSS = [
    ("split.test_size=0.6 split.validation_size=0.5", "must leave training tickets"),
    ("split.folds=1", "split.folds=1 is no split"),
    ("split.folds=3 split.fold=3", "must be below split.folds=3"),
    ("split.fold=2", "split.folds is 0"),
    ("split.file=x.csv", "goes with split.kind=file"),
    ("split.kind=file split.file=x.csv data.columns.split=s", "both name the sides"),
    ("data.path=[builtin:tickets,a.csv]", "stand alone"),
    ("data.path=builtin:cats", "builtin:tickets"),
    ("model.name_or_path=builtin:huge", "builtin:tiny, builtin:small, builtin:base"),
    ("model.revision=main", "has no revisions"),
    ("model.load_in_4bit=true lora.r=4", "starts from random weights"),
    ("model.load_in_4bit=true model.name_or_path=org/m", "set lora.r"),
    ("lora.alpha=8", "lora.alpha is set but lora.r is 0"),
    ("lora.use_dora=true", "lora.use_dora is set"),
    ("lora.target_modules=q_proj", "lora.target_modules is set"),
    ("lora.r=4 lora.target_modules=[]", "is empty"),
    ("prompt.template=nothing", "{ticket}"),
    ("prompt.template={ticket}{ticket}", "{ticket}"),
    ("prompt.style=plain prompt.system=hello", "prompt.system has no place"),
    ("prompt.style=chat", "has no chat template"),
    ("train.max_steps=5 train.warmup_steps=5", "must be below train.max_steps=5"),
    ("train.lr_scheduler=wsd train.warmup_ratio=0.5 train.decay_ratio=0.6", "must not exceed 1"),
    ("split.validation_size=0 train.early_stopping_patience=2", "early_stopping_patience needs validation tickets"),
    ("split.validation_size=0 train.final_weights=best", "final_weights=best needs validation tickets"),
    ("train.early_stopping_patience=2 train.final_weights=last", "known to be worse"),
    ("eval.splits=test,test", "names one twice"),
    ("eval.systems=base,nearest", "must hold model"),
    ("split.validation_size=0 eval.splits=validation", "split.validation_size is 0"),
]
RANGES = [
    ("train.learning_rate=0", "greater than 0"), ("train.epochs=-1", "greater than 0"), ("train.max_steps=0", "greater than or equal to 1"),
    ("train.global_batch_size=0", "greater than or equal to 1"), ("train.max_length=15", "greater than or equal to 16"),
    ("train.warmup_ratio=1", "less than 1"), ("train.weight_decay=-1", "greater than or equal to 0"), ("train.betas=0.9,1", "less than 1"),
    ("train.betas=0.9", "train.betas"), ("train.max_grad_norm=-1", "greater than or equal to 0"), ("train.precision=fp8", "train.precision=fp8"),
    ("train.lr_scheduler=step", "'cosine', 'linear', 'constant' or 'wsd'"), ("train.decay_ratio=0", "greater than 0"),
    ("train.label_smoothing=1", "less than 1"), ("train.neftune_alpha=-1", "greater than or equal to 0"),
    ("train.early_stopping_patience=0", "greater than or equal to 1"), ("train.max_minutes=0", "greater than 0"),
    ("train.gradient_checkpointing=maybe", "train.gradient_checkpointing=maybe"), ("split.similarity=0", "greater than 0"),
    ("split.test_size=1", "less than 1"), ("eval.splits=", "at least 1 item"), ("eval.bootstrap_samples=10", "greater than or equal to 100"),
    ("checkpoint.keep_last=0", "greater than or equal to 1"), ("dist.timeout_seconds=1", "greater than or equal to 10"),
    ("prompt.language=xx", "prompt.language=xx"), ("train.learning_rate=inf", "finite"), ("run.seed=-1", "greater than or equal to 0"),
]  # fmt: skip


def message(*argv):
    with pytest.raises(UserError) as caught:
        parse(list(argv))
    return str(caught.value)


@pytest.mark.parametrize(("text", "part"), CROSS)
def test_cross_field_problems(text, part):
    assert part in message(*text.split())


@pytest.mark.parametrize(("text", "part"), RANGES)
def test_out_of_range(text, part):
    found = message(text)
    assert part in found and text.partition("=")[0] in found


def test_all_of_them_come_at_once():
    found = message("split.folds=1", "lora.alpha=8", "train.max_steps=5", "train.warmup_steps=9", "train.epochs=-1")
    assert found.startswith("4 problems")


@pytest.mark.parametrize(("text", "parts"), [
    ("train:\n\tmax_steps: 3\n", ["line 2", "a tab at the start of a line"]),
    ("train:\n  max_steps: 3\n\tlog_steps: 3\n", ["a tab at the start of a line"]),
    ("train:\n  max_steps: 3\n  max_steps: 4\n", ["line 3", "max_steps stands twice, first in line 2"]),
    ("train: {}\nrun: {}\ntrain: {}\n", ["line 3", "train stands twice"]),
    ("run: {name: 'x}\n", ["not valid YAML"]),
])  # fmt: skip
def test_traps_of_yaml_are_named(tmp_path, text, parts):
    file = tmp_path / "c.yaml"
    file.write_text(text)
    found = message(f"--config={file}")
    assert [part for part in (*parts, "c.yaml") if part not in found] == [], found


@pytest.mark.parametrize("number", ["1e-4", "1E-4", "+1e-4", "1.0e-4", ".1e-3", "0.0001", "10_0e-6"])
def test_numbers_as_people_write_them(tmp_path, number):
    file = tmp_path / "c.yaml"
    file.write_text(f"train: {{learning_rate: {number}, betas: [9e-1, 0.5]}}\n")
    config = parse([f"--config={file}"]).config
    assert config.train.learning_rate == pytest.approx(1e-4)
    assert config.train.betas == (0.9, 0.5)


def test_a_leading_zero_makes_no_octal_number(tmp_path):
    file = tmp_path / "c.yaml"
    file.write_text("run: {seed: 010}\nsplit: {seed: 08}\ntrain: {max_steps: 0100}\ndata: {columns: {id: 0012}}\nlora_r: 010\n")
    config = parse([f"--config={file}"]).config
    assert (config.run.seed, config.split.seed, config.train.max_steps, config.lora.r) == (10, 8, 100, 10)
    assert config.data.columns.id == "0012"


@pytest.mark.parametrize(("text", "part"), [
    ("max_steps: true", "train.max_steps=true (max_steps: true ("), ("train: {max_steps: yes}", "train.max_steps=true ("),
    ("train: {max_grad_norm: off}", "train.max_grad_norm=false ("), ("train: {betas: [false, 0.9]}", "train.betas="),
])  # fmt: skip
def test_a_switch_is_no_number(tmp_path, text, part):
    file = tmp_path / "c.yaml"
    file.write_text(text)
    found = message(f"--config={file}")
    assert part in found and "takes no true or false" in found and found.startswith("a problem")


def test_a_switch_stays_one_where_its_key_takes_it(tmp_path):
    file = tmp_path / "c.yaml"
    file.write_text("train: {gradient_checkpointing: true, torch_compile: false}\n")
    assert parse([f"--config={file}"]).config.train.gradient_checkpointing is True


@pytest.mark.parametrize(
    "text", ["distributed_type: MULTI_GPU\nnum_processes: 2\n", "compute_environment: LOCAL_MACHINE\nx: 1\n"]
)
def test_a_launcher_file_is_known_for_what_it_is(tmp_path, text):
    file = tmp_path / "ddp.yaml"
    file.write_text(text)
    found = message(f"--config={file}")
    assert f"{file}: this is a launcher file: give it with --config_file" in found and found.startswith("a problem")


def test_a_word_that_looks_like_a_number_stays_a_word(tmp_path):
    file = tmp_path / "c.yaml"
    file.write_text(
        "run: {name: 1e4x}\nmodel: {revision: 12e45}\ndata: {columns: {id: 0012}}\nmodel: {}\n".replace("model: {}\n", "")
    )
    config = parse([f"--config={file}", "--model.name_or_path=org/m"]).config
    assert config.run.name == "1e4x"


def test_merging_is_allowed(tmp_path):
    file = tmp_path / "c.yaml"
    file.write_text("train: &t {max_steps: 3, log_steps: 2}\nrun: {name: n}\n")
    assert parse([f"--config={file}"]).config.train.log_steps == 2


def test_the_schema_is_the_one_of_today():
    assert (ROOT / "configs" / "schema.json").read_text(encoding="utf-8") == json_schema(), (
        "write it again: rca-dist schema configs/schema.json"
    )


def test_the_schema_knows_every_key_with_its_meaning():
    schema = json.loads(json_schema())
    for key, field in known_keys().items():
        node = schema
        for part in key.split("."):
            node = schema["$defs"][node["$ref"].rpartition("/")[2]] if "$ref" in node else node
            node = node["properties"][part]
        assert node["description"] == field.description
    assert schema["additionalProperties"] is False
