"""The benchmarks run, and what they print is well-formed. No test looks at how long anything took."""

import json
import os
import subprocess
import sys
from importlib import util
from pathlib import Path
from types import SimpleNamespace

import pytest

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"
CANDIDATES = ["trl-default", "trl-free-2", "ours-padded", "ours-packed", "ours-auto"]
SMALL = ["--device", "cpu", "--tickets", "60", "--seed", "1"]


@pytest.fixture(scope="module")
def modules():
    """The benchmark modules, which are scripts beside each other and no package."""
    sys.path.insert(0, str(BENCHMARKS))
    try:
        import gauges
        import memory
        import speed

        yield SimpleNamespace(gauges=gauges, memory=memory, speed=speed)
    finally:
        sys.path.remove(str(BENCHMARKS))


def run(script, *arguments):
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(BENCHMARKS / script), *SMALL, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=540, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def speed_run(tmp_path_factory):
    output = tmp_path_factory.mktemp("speed") / "speed.json"
    text = run(
        "speed.py", "--models", "builtin:tiny", "--steps", "2", "--warmup", "1", "--global_batch_size", "4",
        "--max_tokens", "300", "--spread", "0.6", "--candidates", *CANDIDATES, "--output", str(output),
    )  # fmt: skip
    return text, json.loads(output.read_text())


@pytest.mark.slow
def test_speed_compares_our_ways_of_batching(speed_run):
    text, report = speed_run
    (result,) = report["results"]
    cells = result["candidates"]
    assert list(cells) == CANDIDATES or set(cells) == set(CANDIDATES)
    for name in ("ours-padded", "ours-packed", "ours-auto"):
        cell = cells[name]
        assert cell["step_seconds"] > 0 and cell["tokens_per_second"] > cell["supervised_per_second"] > 0
        assert len(cell["losses"]) == len(cell["seconds"]) == 3
        assert f"| {name}" in text
    assert cells["ours-packed"]["positions_per_token"] == 1.0 < cells["ours-padded"]["positions_per_token"]
    assert cells["ours-packed"]["packed"] is True and cells["ours-padded"]["packed"] is False
    assert result["agreement"]["problems"] == []
    assert report["data"]["tokens"]["max"] > report["data"]["tokens"]["median"] > 0
    assert report["machine"]["versions"]["torch"]


@pytest.mark.slow
def test_speed_trains_trl_on_the_same_batches(speed_run):
    if util.find_spec("trl") is None:
        pytest.skip("the TRL column needs trl: pip install -c constraints.txt -e '.[bench]'")
    _, report = speed_run
    (result,) = report["results"]
    assert result["agreement"]["reference"] == "trl-default"
    for name, deviation in result["agreement"]["loss_deviation"].items():
        assert deviation["all_steps"] < 1e-5, name
    assert result["candidates"]["trl-default"]["ratio_to_trl_default"]["median"] == 1.0
    assert result["candidates"]["trl-free-2"]["positions_per_token"] == 1.0


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="resident peaks are read from /proc")
def test_memory_reports_every_rank(tmp_path):
    output = tmp_path / "memory.json"
    text = run(
        "memory.py", "--model", "builtin:tiny", "--backends", "ddp", "zero3", "--processes", "2", "--steps", "1",
        "--batch_per_process", "4", "--max_tokens", "512", "--output", str(output),
    )  # fmt: skip
    report = json.loads(output.read_text())
    assert [cell["backend"] for cell in report["cells"]] == ["ddp", "zero3"]
    for cell in report["cells"]:
        assert len(cell["ranks"]) == cell["processes"] == 2
        assert all(rank["step_peak"] > 0 for rank in cell["ranks"])
    ddp, zero3 = report["cells"]
    assert ddp["theory_states"] == 16 * report["parameters"] == 2 * zero3["theory_states"]
    # The same tickets and weights: whatever is split, the loss is one.
    assert ddp["loss"] == pytest.approx(zero3["loss"], rel=1e-6)
    assert "| zero3" in text


def test_theory_follows_the_zero_formulas(modules):
    theory = modules.memory.theory
    assert theory("ddp", 4, 1000) == {"weights": 4000, "gradients": 4000, "optimizer": 8000}
    assert theory("zero1", 4, 1000) == {"weights": 4000, "gradients": 4000, "optimizer": 2000}
    assert theory("zero2", 4, 1000) == {"weights": 4000, "gradients": 1000, "optimizer": 2000}
    assert theory("zero3", 4, 1000) == theory("fsdp2", 4, 1000) == {"weights": 1000, "gradients": 1000, "optimizer": 2000}
    assert all(sum(theory(backend, 1, 1000).values()) == 16000 for backend in modules.memory.BACKENDS)


def runner(name, seconds, losses, supervised=(7, 7, 7), positions=20):
    keys = zip(seconds, losses, supervised, strict=True)
    facts = {"positions": positions, "micro_batches": 2, "cpu_seconds": 0.5}
    steps = [{"seconds": s, "loss": x, "supervised": n, **facts} for s, x, n in keys]
    return SimpleNamespace(name=name, failure=None, steps=steps, last={"peak_bytes": 5})


def test_ratios_pair_the_steps_after_the_warmup(modules):
    fast, slow = runner("ours-padded", [9.0, 1.0, 2.0], [1.0] * 3), runner("trl-default", [1.0, 3.0, 6.0], [1.0] * 3)
    cells = modules.speed.summarise([slow, fast], tokens=[10, 10, 10], warmup=1)
    assert cells["ours-padded"]["ratio_to_trl_default"]["median"] == 3.0
    assert cells["ours-padded"]["trl_best"] == "trl-default"
    assert cells["ours-padded"]["positions_per_token"] == 2.0
    assert cells["ours-padded"]["tokens_per_second"] == pytest.approx((10 + 5) / 2)


def test_other_work_is_noticed(modules):
    same = [runner("trl-default", [1.0] * 3, [2.0, 1.9, 1.8]), runner("ours-padded", [1.0] * 3, [2.0, 1.9, 1.8])]
    assert modules.speed.agreement(same, [7, 7, 7], 1e-4)["problems"] == []
    loss = [same[0], runner("ours-padded", [1.0] * 3, [2.0, 1.9, 1.81])]
    assert "losses differ" in modules.speed.agreement(loss, [7, 7, 7], 1e-4)["problems"][0]
    nan = [same[0], runner("ours-padded", [1.0] * 3, [2.0, 1.9, float("nan")])]
    assert modules.speed.agreement(nan, [7, 7, 7], 1e-4)["problems"]
    count = [same[0], runner("ours-padded", [1.0] * 3, [2.0, 1.9, 1.8], supervised=(7, 7, 8))]
    assert "supervised" in modules.speed.agreement(count, [7, 7, 7], 1e-4)["problems"][0]


def test_failures_and_skips_stay_in_the_table(modules, capsys):
    broken = SimpleNamespace(name="ours-packed", failure="RuntimeError: no", steps=[], last={})
    cells = modules.speed.summarise([broken], tokens=[], warmup=1) | {"trl-default": {"skipped": "trl is not installed"}}
    result = {"model": "builtin:tiny", "precision": "fp32", "candidates": cells, "agreement": {"problems": []}}
    modules.speed.show(result)
    text = capsys.readouterr().out
    assert "ours-packed: failed: RuntimeError: no" in text and "trl-default: trl is not installed" in text


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="resident peaks are read from /proc")
def test_the_meter_sees_what_is_held_and_what_was(modules):
    meter = modules.gauges.MemoryMeter("cpu")
    meter.start()
    block = bytearray(64 << 20)
    block[:: 1 << 12] = b"\1" * len(block[:: 1 << 12])
    held = meter.now()
    del block
    if held is None:
        pytest.skip("this system does not let a process forget its peak")
    assert held > 60 << 20
    assert meter.peak() > 60 << 20 > meter.now()
    meter.forget_peak()
    assert meter.peak() < 60 << 20
