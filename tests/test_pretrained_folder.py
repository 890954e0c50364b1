"""A saved model folder under every back end: rank 0 alone reads its weights, and every number is that of one process."""

import json

import pytest
import torch
from test_launch_scripts import BACKENDS, ROOT, SHORT, rca

pytestmark = pytest.mark.process
SLOW = pytest.mark.slow
LORA = ("--lora.r=4", "--train.learning_rate=1e-3")
CASES = [
    pytest.param("fsdp2", (), id="fsdp2"),
    pytest.param("zero3", LORA, id="zero3-lora"),
    pytest.param("zero3", (), id="zero3", marks=SLOW),
    pytest.param("zero2", (), id="zero2", marks=SLOW),
    pytest.param("zero1", LORA, id="zero1-lora", marks=SLOW),
    pytest.param("fsdp2", LORA, id="fsdp2-lora", marks=SLOW),
    pytest.param("ddp", (), id="ddp", marks=SLOW),
]


def small_qwen(place):
    """An untied Qwen2 network with the tokenizer of builtin:tiny, saved in the folder `place`."""
    from transformers import Qwen2Config, Qwen2ForCausalLM

    from rca_dist.model import builtin

    size = builtin.SIZES["tiny"]
    tokenizer = builtin.wrap_tokenizer(builtin.train_tokenizer(["printer down, restart it"], size), size)
    torch.manual_seed(3)
    config = Qwen2Config(vocab_size=2048, hidden_size=64, intermediate_size=128, num_hidden_layers=2, num_attention_heads=4,
                         num_key_value_heads=2, max_position_embeddings=1024, tie_word_embeddings=False,
                         eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id, bos_token_id=None)  # fmt: skip
    Qwen2ForCausalLM(config).save_pretrained(place)
    tokenizer.save_pretrained(place)
    return place


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return small_qwen(tmp_path_factory.mktemp("pretrained") / "qwen")


def trained(place, model, *arguments):
    """(logged losses, results of the test side) of a short run."""
    done = rca(
        *SHORT,
        "--eval.systems=[model,base]",
        f"--model.name_or_path={model}",
        "--run.output_dir=run",
        *arguments,
        cwd=place,
        CUDA_VISIBLE_DEVICES="",
    )
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in (place / "run" / "metrics.jsonl").read_text().splitlines()]
    losses = [line[key] for line in lines for key in ("train/loss", "eval/loss") if key in line]
    systems = json.loads((place / "run" / "results.json").read_text())["splits"]["test"]["systems"]
    return losses, {name: systems[name]["loss"]["value"] for name in ("model", "base")}


@pytest.fixture(scope="module")
def alone(folder, tmp_path_factory):
    """What one process says, full and with an adapter."""
    file = f"--config_file={ROOT / 'configs/accelerate/cpu.yaml'}"
    return {rest: trained(tmp_path_factory.mktemp("alone"), folder, file, *rest) for rest in ((), LORA)}


@pytest.mark.parametrize(("name", "rest"), CASES)
def test_every_number_is_that_of_one_process(name, rest, folder, alone, tmp_path):
    if name.startswith("zero"):
        pytest.importorskip("deepspeed")
    file = f"--config_file={ROOT / 'configs' / 'accelerate' / f'{name}.yaml'}"
    losses, systems = trained(tmp_path, folder, file, "--num_processes=2", *rest)
    assert json.loads((tmp_path / "run" / "run.json").read_text())["backend"] == BACKENDS[name]
    assert losses == pytest.approx(alone[rest][0], rel=1e-6)
    assert systems == pytest.approx(alone[rest][1], rel=1e-6)
    assert systems["model"] < systems["base"]


def test_a_network_without_its_weights_looks_the_same_and_reads_none(folder, tmp_path):
    import shutil

    from rca_dist.model.adapter import HFModelAdapter
    from rca_dist.model.lora import LoraSettings
    from rca_dist.runtime.distributed import layout

    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    lora = LoraSettings(r=2, alpha=4.0)
    whole = [HFModelAdapter.load(str(folder)), HFModelAdapter.load(str(folder), lora=lora, frozen_dtype=torch.bfloat16)]
    (copy / "model.safetensors").unlink()
    empty = [
        HFModelAdapter.load(str(copy), weights=False),
        HFModelAdapter.load(str(copy), lora=lora, frozen_dtype=torch.bfloat16, weights=False),
    ]
    for ours, theirs in zip(empty, whole, strict=True):
        assert layout(ours.model) == layout(theirs.model)
        assert (ours.eos_ids, ours.pad_id, ours.max_length) == (theirs.eos_ids, theirs.pad_id, theirs.max_length)
