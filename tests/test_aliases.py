"""Options as users of other tools type them: the equivalent config, a note each, and a reason where there is none."""

import pytest

from rca_dist.aliases import SPECIAL, is_foreign
from rca_dist.command_line import known_keys, parse
from rca_dist.errors import UserError
from rca_dist.foreign_names import FIXED, MUST_BE_OFF, REFUSED, RENAMED, SWITCHES, WITHOUT_EFFECT


def same(foreign, ours, **options):
    """Both command lines give one config."""
    left, right = parse(foreign.split(), **options), parse(ours.split())
    assert left.config.model_dump() == right.config.model_dump()
    return left


def refused(text, **options):
    with pytest.raises(UserError) as caught:
        parse(text.split(), **options)
    return str(caught.value)


def test_every_name_leads_to_a_key_that_exists():
    assert set(RENAMED.values()) <= set(known_keys())
    assert not {name for name in RENAMED if name in WITHOUT_EFFECT or name in REFUSED}
    assert not set(FIXED) & {*RENAMED, *WITHOUT_EFFECT, *REFUSED, *SPECIAL}
    assert not {name for name in (*RENAMED, *FIXED, *WITHOUT_EFFECT, *REFUSED) if name in known_keys()}
    assert all(is_foreign(name) for name in SWITCHES)


@pytest.mark.parametrize("name", RENAMED)
def test_a_renamed_option_sets_its_key(name):
    values = {
        bool: "true", int: "30", float: "0.25", str: "text", list: "a,b", tuple: "0.5,0.6",
    }  # fmt: skip
    from rca_dist.command_line import _kinds

    kinds = _kinds(known_keys()[RENAMED[name]].annotation)
    value = next(text for kind, text in values.items() if kind in kinds)
    extra = {"load_in_4bit": " --lora.r=8 --model.name_or_path=org/m"}.get(name, "")
    extra += " --lora.r=8" if name in ("lora_alpha", "lora_dropout", "lora_target_modules", "use_dora", "use_rslora") else ""
    extra += " --model.name_or_path=org/m" if name == "model_revision" else ""
    found = same(f"--{name} {value}{extra}", f"--{RENAMED[name]}={value}{extra}")
    assert [note for note in found.notes if note.startswith(f"--{name}=") and RENAMED[name] in note]


def test_a_trl_command_line_gives_the_equivalent_config():
    found = same(
        "--model_name_or_path Qwen/Qwen2.5-0.5B-Instruct --train_file tickets.csv --learning_rate 2.0e-4 --num_train_epochs 1 "
        "--packing --per_device_train_batch_size 2 --gradient_accumulation_steps 8 --gradient_checkpointing --logging_steps 25 "
        "--eval_strategy steps --eval_steps 100 --use_peft --lora_r 32 --lora_alpha 16 --lora_target_modules q_proj v_proj "
        "--bf16 --lr_scheduler_type constant_with_warmup --warmup_ratio 0.1 --report_to wandb --run_name first --seed 7 "
        "--output_dir out --save_total_limit 3 --adam_beta2 0.95 --max_length 2048 --optim adamw_torch_fused",
        "--model.name_or_path=Qwen/Qwen2.5-0.5B-Instruct --data.path=tickets.csv --train.learning_rate=2e-4 --train.epochs=1 "
        "--train.batching=packed --train.global_batch_size=64 --train.gradient_checkpointing=true --train.log_steps=25 "
        "--train.eval_steps=100 --lora.r=32 --lora.alpha=16 --lora.target_modules=q_proj,v_proj --train.precision=bf16 "
        "--train.lr_scheduler=constant --train.warmup_ratio=0.1 --run.name=first --run.seed=7 --run.output_dir=out "
        "--checkpoint.keep_last=3 --train.betas=0.9,0.95 --train.max_length=2048",
        world_size=4,
    )
    assert found.needs_world_size
    assert "x gradient_accumulation_steps 8 x 4 processes is train.global_batch_size=64" in "\n".join(found.notes)


def test_an_axolotl_file_gives_the_equivalent_config(tmp_path):
    file = tmp_path / "axolotl.yaml"
    file.write_text(
        "base_model: org/m\nsequence_len: 512\nsample_packing: true\nmicro_batch_size: 4\ngradient_accumulation_steps: 2\n"
        "num_epochs: 2\noptimizer: adamw_torch\nlr_scheduler: cosine\nlearning_rate: 1e-4\nadapter: qlora\nlora_r: 8\n"
        "lora_alpha: 32\nval_set_size: 0.05\nwandb_project: tickets\nbf16: true\n"
    )
    same(
        f"--config {file}",
        "--model.name_or_path=org/m --train.max_length=512 --train.batching=packed --train.global_batch_size=8 --train.epochs=2 "
        "--train.learning_rate=1e-4 --lora.r=8 --lora.alpha=32 --model.load_in_4bit=true --split.validation_size=0.05 "
        "--tracking.project=tickets --train.precision=bf16",
    )


STOCK = """
base_model: NousResearch/Llama-3.2-1B
model_type: LlamaForCausalLM
tokenizer_type: AutoTokenizer
load_in_8bit: false
load_in_4bit: false
strict: false
datasets:
  - path: tickets.jsonl
    type: alpaca
dataset_prepared_path: last_run_prepared
val_set_size: 0.1
output_dir: ./outputs/lora-out
chat_template: tokenizer_default
adapter: lora
lora_model_dir:
sequence_len: 2048
sample_packing: true
eval_sample_packing: true
pad_to_sequence_len: true
lora_r: 16
lora_alpha: 32
lora_dropout: 0.05
lora_target_modules:
lora_target_linear: true
lora_fan_in_fan_out: false
wandb_project:
wandb_entity:
wandb_watch:
wandb_name:
wandb_log_model:
gradient_accumulation_steps: 2
micro_batch_size: 2
num_epochs: 1
optimizer: adamw_8bit
lr_scheduler: cosine
learning_rate: 0.0002
train_on_inputs: false
group_by_length: false
bf16: auto
fp16:
tf32: false
gradient_checkpointing: true
early_stopping_patience:
resume_from_checkpoint:
local_rank:
logging_steps: 1
xformers_attention:
flash_attention: true
sdp_attention:
loss_watchdog_threshold: 5.0
loss_watchdog_patience: 3
warmup_steps: 10
evals_per_epoch: 4
saves_per_epoch: 1
eval_table_size:
debug:
deepspeed:
weight_decay: 0.0
fsdp:
fsdp_config: {}
special_tokens:
  pad_token: "<|end_of_text|>"
"""


def test_a_stock_axolotl_file_works_with_the_path_of_the_tickets(tmp_path):
    file = tmp_path / "lora.yml"
    file.write_text(STOCK)
    found = same(
        f"--config {file}",
        "--model.name_or_path=NousResearch/Llama-3.2-1B --data.path=tickets.jsonl --split.validation_size=0.1 "
        "--run.output_dir=./outputs/lora-out --train.max_length=2048 --train.batching=packed --lora.r=16 --lora.alpha=32 "
        "--lora.dropout=0.05 --train.global_batch_size=4 --train.epochs=1 --train.learning_rate=2e-4 --train.log_steps=1 "
        "--train.gradient_checkpointing=true --train.warmup_steps=10 --train.weight_decay=0",
    )
    assert f"learning_rate: 0.0002 ({file}) is train.learning_rate=0.0002 here" in found.notes
    assert f"bf16: auto ({file}) is train.precision=auto here" in found.notes
    assert "type under datasets has no effect: data.columns names what is used" in found.notes
    assert not [note for note in found.notes if "none" in note.lower() or "--" in note]


@pytest.mark.parametrize(("text", "part"), [
    ("datasets: [{path: tatsu-lab/alpaca, type: alpaca}]", "no data set is downloaded"),
    ("datasets: [{path: a.csv}, {path: b.csv}]", "a run has one ticket export"),
    ("datasets: alpaca", "a run has one ticket export"),
    ("special_tokens: {eos_token: x}", "the model's own tokenizer"),
    ("chat_template: chatml", "prompt.style=chat uses the tokenizer's own template"),
    ("lora_model_dir: ./out", "an adapter is trained from its start"),
    ("train_on_inputs: true", "only the answer is supervised"),
    ("lora_target_linear: true\nlora_target_modules: [q_proj]", "give one of them"),
    ("adapter: ia3", "lora and qlora"), ("optimizer: lion", "AdamW"), ("deepspeed: ds.json", "zero3.yaml"),
    ("micro_batch_size: x", "must be a whole number from 1"), ("gradient_accumulation_steps: 2", "train.global_batch_size"),
    ("adam_beta1: true", "must be a number"), ("learning_rate: -1", "greater than 0"),
])  # fmt: skip
def test_an_option_of_a_file_is_named_as_it_stands_there(tmp_path, text, part):
    file = tmp_path / "a.yml"
    file.write_text(text)
    message = refused(f"--config {file} --lora.r=8")
    assert part in message and "did you mean" not in message
    assert f"{text.partition(':')[0]}: " in message and f" ({file})" in message
    assert f"--{text.partition(':')[0]}" not in message


def test_a_local_file_is_no_hub_data_set(tmp_path):
    file = tmp_path / "tickets"
    file.touch()
    same(f"--dataset_name {file}", f"--data.path={file}")
    same("--dataset_name tickets.csv", "--data.path=tickets.csv")


def test_the_predecessor_s_words():
    same(
        "--max_iters 200 --batch_size 2 --grad_norm_clip 0.5",
        "--train.max_steps=200 --train.global_batch_size=2 --train.max_grad_norm=0.5",
    )


@pytest.mark.parametrize(("foreign", "ours"), [
    ("--adapter lora", "--lora.r=16"), ("--use_peft", "--lora.r=16"), ("--use_peft --lora_r 4", "--lora.r=4"),
    ("--lora_r 4 --use_peft", "--lora.r=4"), ("--report_to none", "--tracking.wandb=disabled"), ("--packing false", "--train.batching=padded"),
    ("--load_best_model_at_end", "--train.final_weights=best"), ("--resume_from_checkpoint false", "--checkpoint.resume=never"),
    ("--torch_dtype bfloat16", "--train.precision=bf16"), ("--fp16", "--train.precision=fp16"), ("--bf16 false", ""),
    ("--warmup_steps 0.1", "--train.warmup_ratio=0.1"), ("--warmup-steps 5", "--train.warmup_steps=5"),
    ("learning_rate=1e-3", "--train.learning_rate=1e-3"), ("--adam_beta1 0.8", "--train.betas=0.8,0.999"),
    ("--lr_scheduler_type warmup_stable_decay", "--train.lr_scheduler=wsd"), ("--deepspeed none", ""),
    ("--per_device_train_batch_size 3", "--train.global_batch_size=3"), ("--model org/m", "--model.name_or_path=org/m"),
    ("--ddp_timeout 1800", "--dist.timeout_seconds=1800"), ("--adam_epsilon 1e-8", ""), ("--adam_epsilon=1.0e-08", ""),
    ("--dataset_train_split train --dataset_test_split test", ""), ("--logging_dir logs", ""), ("--bf16 auto", ""),
    ("--optim paged_adamw_8bit", ""), ("--lora_target_linear --lora_r 4", "--lora.r=4"), ("--chat_template tokenizer_default", ""),
])  # fmt: skip
def test_special_words(foreign, ours):
    same(foreign, ours)


def test_ours_on_the_command_line_wins_over_theirs_in_a_file(tmp_path):
    file = tmp_path / "a.yaml"
    file.write_text("learning_rate: 0.1\ntrain: {max_steps: 5}\n")
    config = parse(["--config", str(file), "--train.learning_rate=0.2", "--max_steps=6"]).config
    assert (config.train.learning_rate, config.train.max_steps) == (0.2, 6)
    later = tmp_path / "b.yaml"
    later.write_text("train: {learning_rate: 0.3}\nmax_steps: 7\n")
    config = parse(["--config", str(file), "--config", str(later)]).config
    assert (config.train.learning_rate, config.train.max_steps) == (0.3, 7)


@pytest.mark.parametrize(("text", "parts"), [
    ("--bf16 --fp16", ["--fp16=true means train.precision=fp16 but --bf16=true means train.precision=bf16"]),
    ("--bf16 --train.precision=fp32", ["train.precision=bf16 but train.precision=fp32 is given too"]),
    ("--learning_rate 1e-4 --train.learning_rate 2e-4", ["--learning_rate=1e-4", "train.learning_rate=2e-4 is given too"]),
    ("--learning_rate 1e-4 --learning_rate 2e-4", ["--learning_rate is given twice"]),
    ("--max_steps 10 --max_iters 20", ["max_iters=20", "max_steps=10"]),
    ("--per_device_train_batch_size 2 --train.global_batch_size 16", ["train.global_batch_size=2", "train.global_batch_size=16 is given too"]),
    ("--per_device_train_batch_size 2 --micro_batch_size 4", ["differ"]),
    ("--per_device_train_batch_size x", ["must be a whole number from 1"]),
    ("--gradient_accumulation_steps 4", ["train.global_batch_size"]),
    ("--deepspeed ds.json", ["configs/accelerate/zero3.yaml"]), ("--fsdp full_shard", ["configs/accelerate/fsdp2.yaml"]),
    ("--lr_scheduler_type polynomial", ["choose one of cosine"]), ("--optim adafactor", ["AdamW"]),
    ("--report_to tensorboard", ["wandb or none"]), ("--load_in_8bit", ["model.load_in_4bit"]), ("--bf16 maybe", ["true or false"]),
    ("--completion_only_loss false", ["only the answer is supervised"]), ("--push_to_hub", ["nothing is uploaded"]),
    ("--metric_for_best_model accuracy", ["lowest validation loss"]), ("--resume_from_checkpoint out/checkpoint-5", ["run.output_dir"]),
    ("--adapter ia3", ["lora and qlora"]), ("--eval_strategy no", ["part of every run"]), ("--adam_beta1 high", ["must be a number"]),
    ("--learning_rate -1", ["greater than 0", "--learning_rate=-1"]), ("--dataset_name imdb", ["data.path"]),
    ("--leaning_rate 1", ["did you mean"]), ("--eos_token <|im_end|>", ["--eos_token=<|im_end|>: the end token of the model's own"]),
    ("--adam_epsilon 1e-6", ["--adam_epsilon=1e-6: AdamW's epsilon is 1e-8"]), ("--dataset_train_split train_sft", ["split.*"]),
    ("--nproc_per_node 2", ["--num_processes N of rca-dist train"]), ("--num-gpus 2", ["--num_processes N"]),
    ("--gpus=2", ["--num_processes N"]), ("--tokenizer_name_or_path org/t", ["comes with model.name_or_path"]),
])  # fmt: skip
def test_what_has_no_counterpart_is_told_with_its_reason(text, parts):
    message = refused(text)
    assert [part for part in parts if part not in message] == [], message


@pytest.mark.parametrize("name", sorted(WITHOUT_EFFECT))
def test_what_changes_nothing_is_noted(name):
    value = "false" if name in MUST_BE_OFF else "true"
    found = same(f"--{name}={value}", "")
    assert [note for note in found.notes if note.startswith(f"--{name}=") and "has no effect" in note]


def test_the_product_follows_the_launcher(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "3")
    assert parse(["--per_device_train_batch_size=2"]).config.train.global_batch_size == 6
    monkeypatch.setenv("RCA_WORLD_SIZE", "5")
    assert parse(["--per_device_train_batch_size=2"]).config.train.global_batch_size == 10
    assert not parse([]).needs_world_size
