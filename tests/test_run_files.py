"""The ready run files: each loads, says its own command, and its figures are what our sums give."""

import re
import shlex
from pathlib import Path

import pytest
import torch
import yaml

from rca_dist.command_line import parse
from rca_dist.model import capacity

ROOT = Path(__file__).resolve().parents[1]
FILES = sorted((ROOT / "configs" / "runs").glob("*.yaml"))
# From the models' published config.json files.
QWEN, LLAMA = {"tie_word_embeddings": True, "vocab_size": 151936}, {"tie_word_embeddings": False, "vocab_size": 128256}
SHAPES = {
    "Qwen/Qwen2.5-0.5B-Instruct": ("qwen2", QWEN | {"hidden_size": 896, "num_hidden_layers": 24, "num_attention_heads": 14, "num_key_value_heads": 2, "intermediate_size": 4864}),
    "Qwen/Qwen2.5-1.5B-Instruct": ("qwen2", QWEN | {"hidden_size": 1536, "num_hidden_layers": 28, "num_attention_heads": 12, "num_key_value_heads": 2, "intermediate_size": 8960}),
    "Qwen/Qwen2.5-7B-Instruct": ("qwen2", QWEN | {"hidden_size": 3584, "num_hidden_layers": 28, "num_attention_heads": 28, "num_key_value_heads": 4, "intermediate_size": 18944, "vocab_size": 152064, "tie_word_embeddings": False}),
    "meta-llama/Llama-3.1-8B-Instruct": ("llama", LLAMA | {"hidden_size": 4096, "num_hidden_layers": 32, "num_attention_heads": 32, "num_key_value_heads": 8, "intermediate_size": 14336}),
    "meta-llama/Llama-3.3-70B-Instruct": ("llama", LLAMA | {"hidden_size": 8192, "num_hidden_layers": 80, "num_attention_heads": 64, "num_key_value_heads": 8, "intermediate_size": 28672}),
}  # fmt: skip


def comments(path):
    return [line[2:] for line in path.read_text(encoding="utf-8").splitlines() if line.startswith("# ")]


def test_there_is_one_for_each_kind_of_hardware():
    assert {path.name.partition("_")[0] for path in FILES} == {"cpu", "gpu8", "gpu24", "gpu80", "8xgpu80", "2x8gpu80"}


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem)
def test_it_loads_and_says_its_own_command(path):
    config = parse([f"--config={path}", "--data.path=tickets.csv"]).config
    assert config.model.name_or_path in SHAPES
    words = shlex.split(comments(path)[0])
    script = next(word for word in words if word.endswith(".sh"))
    assert (ROOT / script).is_file()
    assert ROOT / words[words.index("--config") + 1] == path
    if "--config_file" in words:
        assert (ROOT / words[words.index("--config_file") + 1]).is_file()
    # What follows the launcher's own options is a command line of ours.
    own = [word for word in words[words.index("--config") :] if word != "--config_file"]
    parse([str(ROOT / word) if word.startswith("configs/") else word for word in own])
    assert any("yaml-language-server: $schema=../schema.json" in line for line in comments(path))


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem)
def test_its_figures_are_those_of_our_sums(path):
    from transformers import AutoConfig, AutoModelForCausalLM

    config, text = parse([f"--config={path}"]).config, " ".join(comments(path))
    kind, shape = SHAPES[config.model.name_or_path]
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(AutoConfig.for_model(kind, **shape))
    total = trainable = sum(p.numel() for p in model.parameters())
    if config.lora.r:
        layers = [m for n, m in model.named_modules() if isinstance(m, torch.nn.Linear) and "lm_head" not in n]
        trainable = sum(config.lora.r * (layer.in_features + layer.out_features) for layer in layers)
        total += trainable
    machines, gpus = (int(n or 1) for n in re.match(r"(?:(\d+)x)??(?:(\d+)x?)?(?:gpu|cpu)", path.stem).groups())
    backend = "fsdp2" if machines * gpus > 1 else "no"
    state = capacity.state_bytes(total, trainable, backend=backend, world_size=machines * gpus,
                                 frozen_width=2 if config.lora.r and backend == "no" else 4, half=True)  # fmt: skip
    activations = capacity.activation_bytes(
        capacity.shape_of(model.config), config.train.max_tokens_per_micro_batch, half=True,
        checkpointing=config.train.gradient_checkpointing is True,
    )  # fmt: skip
    assert float(re.search(r"Computed: ([\d.]+) GiB", text)[1]) == pytest.approx((state + activations) / 2**30, abs=0.06)
    # Forward and backward 6 N, with frozen weights 4 N; recomputing adds 2 N, which is no useful work but takes its time.
    factor = (4 if config.lora.r else 6) + 2 * (config.train.gradient_checkpointing is True)
    operations = float(re.search(r"Time: ([\d.e]+) operations", text)[1])
    assert operations == pytest.approx(factor * total * 1e6, rel=0.04)
    seconds = {"s": 1, "min": 60, "h": 3600}
    amount, unit, count, rate = re.search(r"; ([\d.]+) (s|min|h) at (?:(\d+) x )?([\d.]+e\d+) per second", text).groups()
    assert float(amount) * seconds[unit] == pytest.approx(operations / float(rate) / int(count or 1), rel=0.15)


@pytest.mark.process
@pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem)
def test_its_settings_run_dry_on_a_small_model(path, tmp_path):
    from test_launch_scripts import rca
    from test_pretrained_folder import small_qwen

    small_qwen(tmp_path / "m-Instruct")
    done = rca(
        "--config",
        path,
        "--dry_run",
        f"--model.name_or_path={tmp_path / 'm-Instruct'}",
        "--data.builtin_tickets=60",
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    assert "longest micro-batch" in done.stdout
    assert yaml.safe_load(path.read_text())["train"]["gradient_checkpointing"] in (True, False)
