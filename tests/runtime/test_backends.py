"""Every back end with two real processes: one result, resumable state, whole weights on disk, one message for a bad loss."""

from pathlib import Path

import pytest
import torch

pytestmark = pytest.mark.process
JOB = Path(__file__).with_name("backend_job.py")
SLOW = pytest.mark.slow
CASES = [
    pytest.param(("fsdp2", False), id="fsdp2"),
    pytest.param(("zero3", True), id="zero3-lora"),
    pytest.param(("zero2", False), id="zero2"),
    pytest.param(("zero3", False), id="zero3", marks=SLOW),
    pytest.param(("zero1", False), id="zero1", marks=SLOW),
    pytest.param(("fsdp2", True), id="fsdp2-lora", marks=SLOW),
    pytest.param(("zero1", True), id="zero1-lora", marks=SLOW),
    pytest.param(("ddp", True), id="ddp-lora", marks=SLOW),
]
KINDS = {"ddp": "MULTI_CPU", "fsdp2": "FSDP", "zero1": "DEEPSPEED", "zero2": "DEEPSPEED", "zero3": "DEEPSPEED"}


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """What one process says, full and LoRA."""
    from gloo import run_ranks

    found = {}
    for lora in (False, True):
        folder = tmp_path_factory.mktemp("alone")
        found[lora] = run_ranks(1, JOB, "job", {"lora": lora, "folder": str(folder)}, timeout=240)[0]
    return found


@pytest.fixture(scope="module", params=CASES)
def case(request, tmp_path_factory):
    from gloo import backend_environment, run_ranks

    backend, lora = request.param
    folder = tmp_path_factory.mktemp(backend)
    ranks = run_ranks(2, JOB, "job", {"lora": lora, "folder": str(folder)}, timeout=400, env=backend_environment(backend))
    return backend, lora, folder, ranks


def test_the_back_end_is_the_one_asked_for(case):
    backend, _, _, ranks = case
    assert [(r["backend"], r["kind"], r["packed"]) for r in ranks] == [(backend, KINDS[backend], True)] * 2


def test_every_number_is_that_of_one_process(case, alone):
    backend, lora, _, ranks = case
    expected = alone[lora]
    for found in ranks:
        for key in ("losses", "first", "last", "base", "one_ticket"):
            assert found[key] == pytest.approx(expected[key], rel=1e-6), key
        # DeepSpeed's own norm is a sum in fp32.
        assert found["norms"] == pytest.approx(expected["norms"], rel=1e-4 if backend.startswith("zero") else 1e-6)
        assert found["texts"] == expected["texts"]
        assert found["one_answer"] == expected["one_answer"]
        # Generation reads the forward's signature: what wraps it must not hide it.
        assert found["keeps_logits"]
        assert found["answers_first"] == expected["answers_first"] == found["texts"]["base"]
        for ours, theirs in zip(found["weights"], expected["weights"], strict=True):
            assert ours == pytest.approx(theirs, rel=1e-4, abs=1e-4)


def test_base_answers_with_the_old_weights_and_the_new_ones_come_back(case):
    for found in case[3]:
        assert found["base"] == pytest.approx(found["first"], rel=1e-6)
        assert found["after_base"] == found["last"] != found["first"]


def test_a_stopped_run_goes_on_as_if_nothing_had_happened(case):
    for found in case[3]:
        assert found["stopped_at"] == 3
        assert found["resumed_losses"] == found["losses"]
        assert found["resumed_weights"] == found["weights"]


def test_saved_weights_load_with_plain_libraries_and_give_the_same_loss(case):
    _, lora, folder, ranks = case
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from rca_dist.model.adapter import HFModelAdapter

    if lora:
        from peft import PeftModel

        model = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(folder / "model" / "base"), folder / "model")
    else:
        model = AutoModelForCausalLM.from_pretrained(folder / "model")
    adapter = HFModelAdapter(model, AutoTokenizer.from_pretrained(folder / "model"), name="saved")
    total, count = plain_loss(adapter)
    assert total / count == pytest.approx(ranks[0]["last"], rel=1e-6)


def plain_loss(adapter):
    """One ticket at a time, plain logits."""
    from backend_job import tickets

    from rca_dist.tokens.encode import RCADataset

    rows = tickets()[0].rows("test")
    data = RCADataset.from_tickets(
        rows["id"].tolist(), rows["prompt"].tolist(), rows["answer"].tolist(), adapter.tokenizer, eos_id=adapter.eos_id,
        pad_id=adapter.pad_id, template="{ticket}:", max_length=128,
    )  # fmt: skip
    total, count = 0.0, 0
    with torch.no_grad():
        for n in range(len(data)):
            logits = adapter.model(input_ids=torch.as_tensor(data[n]["input_ids"])[None]).logits[0].double().log_softmax(-1)
            answer, start = data.answer_ids(n), len(data.prompt_ids(n)) - 1
            total -= float(logits[range(start, start + len(answer)), answer].sum())
            count += len(answer)
    return total, count


def test_a_loss_that_is_not_finite_is_named_alike_on_every_rank(case):
    for found in case[3]:
        assert "not finite at step" in found["poisoned"]
        assert "T7" in found["poisoned"]
        assert found["poisoned"] == case[3][0]["poisoned"]


def test_checkpoints_leave_frozen_weights_out(case):
    _, lora, folder, ranks = case
    assert all(any(name.startswith(f"rng-{r['rank']}") for name in ranks[0]["files"]) for r in ranks)
    size = sum(path.stat().st_size for path in (folder / "checkpoints").rglob("*") if path.is_file())
    # builtin:tiny has 1.1 million weights: 13 MB with two moments, and its adapter a twentieth of that.
    assert (size < 6e6) == lora
