"""The main job as a person starts it: every file of the run directory, same numbers again, going on, real exports."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
import yaml

pytestmark = pytest.mark.process
ROOT = Path(__file__).resolve().parents[1]
SHORT = ["--data.builtin_tickets=200", "--train.max_steps=6", "--eval.max_tickets=6", "--train.precision=fp32", "--train.log_steps=1",
         "--eval.max_new_tokens=20"]  # fmt: skip
FILES = {"config.yaml", "run.json", "data.json", "split.parquet", "metrics.jsonl", "results.json", "predictions.jsonl",
         "checkpoints", "model", "report.html"}  # fmt: skip


def rca(*arguments, cwd, check=0, environment=None):
    """Run `rca-dist ARGUMENTS`; its exit code must be `check`."""
    command = [sys.executable, "-m", "rca_dist.cli", *map(str, arguments)]
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=580, env=os.environ | (environment or {}))
    assert done.returncode == check, done.stdout + done.stderr
    return done


def rows(run):
    """metrics.jsonl without timings."""
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [{k: v for k, v in line.items() if "per_second" not in k} for line in lines]


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    folder = tmp_path_factory.mktemp("job")
    done = rca("train", *SHORT, cwd=folder)
    (run,) = folder.glob("runs/tickets-tiny-*")
    return folder, run, done


def test_every_file_of_the_run_directory_is_there(first):
    _, run, done = first
    assert {p.name for p in run.iterdir()} >= FILES
    assert not list(run.rglob("*.tmp"))
    facts = json.loads((run / "run.json").read_text())
    assert (facts["status"], facts["world_size"], facts["precision"], facts["steps"]) == ("finished", 1, "fp32", 6)
    assert (facts["weights_step"], facts["stopped_early"]) == (6, False)
    assert facts["tokens_per_second"] > 0
    assert facts["peak_memory_bytes"] > 2**20
    assert (run / "checkpoints" / (run / "checkpoints" / "latest").read_text().strip() / "manifest.json").exists()
    split = pd.read_parquet(run / "split.parquet")
    assert list(split.columns) == ["id", "split", "fold", "group"]
    assert {"No evidence of gain", "oracle"} <= {part for part in ("No evidence of gain", "oracle") if part in done.stdout}
    assert "wandb sync" in done.stderr
    config = yaml.safe_load((run / "config.yaml").read_text())
    assert config["train"]["max_steps"] == 6
    assert "output_dir" not in config["run"]


def test_results_and_predictions_agree(first):
    _, run, _ = first
    result = json.loads((run / "results.json").read_text())["splits"]["test"]
    records = [json.loads(line) for line in (run / "predictions.jsonl").read_text().splitlines()]
    mine = [r for r in records if r["system"] == "model"]
    assert len(mine) == result["n"] == 6
    loss = sum(r["scores"]["nll"] for r in mine) / sum(r["scores"]["tokens"] for r in mine)
    assert loss == pytest.approx(result["systems"]["model"]["loss"]["value"])
    bits = {name: cells["bits_per_byte"]["value"] for name, cells in result["systems"].items() if "bits_per_byte" in cells}
    assert bits["oracle"] < bits["model"] < bits["base"]


def test_the_model_loads_with_plain_transformers_and_gives_the_reported_loss(first):
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    _, run, _ = first
    model, tokenizer = AutoModelForCausalLM.from_pretrained(run / "model"), AutoTokenizer.from_pretrained(run / "model")
    template = yaml.safe_load((run / "config.yaml").read_text())["prompt"]["template"]
    record = next(r for r in map(json.loads, (run / "predictions.jsonl").read_text().splitlines()) if r["system"] == "model")
    before, after = template.split("{ticket}")
    parts = [
        tokenizer(text, add_special_tokens=False)["input_ids"]
        for text in (before, record["prompt"], after, record["reference"])
    ]
    ids = torch.tensor([[*parts[0], *parts[1], *parts[2], *parts[3], tokenizer.eos_token_id]])
    labels = ids.clone()
    labels[:, : len(parts[0] + parts[1] + parts[2])] = -100
    with torch.no_grad():
        assert float(model(ids, labels=labels).loss) == pytest.approx(record["scores"]["loss"], rel=1e-5)


def test_same_seed_same_numbers_and_another_seed_others(first):
    folder, run, _ = first
    rca("train", *SHORT, "--run.output_dir=again", "--tracking.wandb=disabled", cwd=folder)
    assert rows(folder / "again") == rows(run)
    assert len(rows(run)) >= 12
    rca("train", *SHORT, "--run.seed=1", "--run.output_dir=other", "--tracking.wandb=disabled", cwd=folder)
    assert rows(folder / "other") != rows(run)


def test_a_finished_run_prints_its_verdict_and_another_config_is_refused(first):
    folder, run, done = first
    before = {p: p.stat().st_mtime_ns for p in run.rglob("*") if p.is_file()}
    again = rca("train", *SHORT, cwd=folder)
    assert again.stdout == done.stdout
    assert rca("train", f"--config={run / 'config.yaml'}", f"--run.output_dir={run}", cwd=folder).stdout == done.stdout
    refused = rca("train", *SHORT, "--train.max_steps=7", f"--run.output_dir={run}", cwd=folder, check=2)
    assert "other settings or data" in refused.stderr
    assert {p: p.stat().st_mtime_ns for p in run.rglob("*") if p.is_file()} == before


def test_a_second_start_leaves_the_first_one_s_files_alone(first):
    import fcntl
    import shutil

    folder, run, _ = first
    busy = folder / "busy"
    shutil.copytree(run, busy)
    (busy / "report.html").unlink()
    half = busy / "checkpoints" / "step-000099.tmp"
    half.mkdir()
    before = (busy / "run.json").read_text()
    with (busy / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        refused = rca("train", *SHORT, f"--run.output_dir={busy}", "--tracking.wandb=disabled", cwd=folder, check=2)
    assert "another start of this run is at work" in refused.stderr
    assert half.is_dir()
    assert (busy / "run.json").read_text() == before
    # Left by itself and unfinished (no report yet), it is completed without training again.
    rca("train", *SHORT, f"--run.output_dir={busy}", "--tracking.wandb=disabled", cwd=folder)
    assert (busy / "report.html").is_file()
    assert not half.exists()
    assert rows(busy) == rows(run)


def test_report_and_cache_commands(first):
    folder, run, _ = first
    (run / "report.html").unlink()
    rca("report", run, cwd=folder)
    assert "</html>" in (run / "report.html").read_text()
    assert "removed" in rca("clean", cwd=folder).stdout
    assert list((folder / "runs" / ".cache").iterdir()) == []


def test_two_processes_give_the_numbers_of_one(first):
    folder, run, _ = first
    rca("train", "--num_processes", 2, *SHORT, "--run.output_dir=two", "--tracking.wandb=disabled", cwd=folder)
    assert json.loads((folder / "two" / "run.json").read_text())["world_size"] == 2
    for ours, alone in zip(rows(folder / "two"), rows(run), strict=True):
        keys = [key for key in alone if key.endswith("/loss")]
        assert keys
        assert [ours[key] for key in keys] == pytest.approx([alone[key] for key in keys], rel=1e-6)


@pytest.mark.parametrize("processes", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_stopped_on_request_and_started_again(first, processes):
    folder, _, _ = first
    name = f"stopped{processes}"
    # Runs of many steps and rare checkpoints: what it goes on from is what the signal saved.
    options = [*SHORT, "--train.max_steps=60", "--train.eval_steps=60", "--checkpoint.save_steps=60", "--tracking.wandb=disabled",
               f"--run.output_dir={name}"]  # fmt: skip
    command = [sys.executable, "-m", "rca_dist.cli", "train", "--num_processes", str(processes), *options]
    process = subprocess.Popen(command, cwd=folder, stderr=subprocess.PIPE, text=True)
    metrics, deadline = folder / name / "metrics.jsonl", time.monotonic() + 240
    while not (metrics.exists() and len(metrics.read_text().splitlines()) > 3):
        assert process.poll() is None and time.monotonic() < deadline
    process.send_signal(signal.SIGTERM)
    _, stderr = process.communicate(timeout=120)
    assert process.returncode == 75, stderr
    assert stderr.count("start it again to go on") == 1
    assert "Traceback" not in stderr
    assert json.loads((folder / name / "run.json").read_text())["status"] == "interrupted"
    done = rows(folder / name)[-1]["step"]
    assert done < 60
    rca("train", "--num_processes", processes, *options, cwd=folder)
    rca("train", "--num_processes", processes, *options, f"--run.output_dir={name}-whole", cwd=folder)
    assert [row["step"] for row in rows(folder / name)] == [*range(1, 61), 60]
    assert rows(folder / name) == rows(folder / f"{name}-whole")


def test_dry_run_and_printed_config_write_nothing(tmp_path):
    out = rca("train", "--dry_run", *SHORT, cwd=tmp_path).stdout
    assert "longest micro-batch" in out
    assert {p.name for p in (tmp_path / "runs").iterdir()} == {".cache"}
    assert yaml.safe_load(rca("train", "--print_config", "train.max_steps=3", cwd=tmp_path).stdout)["train"]["max_steps"] == 3


@pytest.mark.parametrize("name", [
    "predecessor_itsm200/itsm_tickets_meaningful_200.csv",
    "predecessor_itsm200/itsm_tickets_meaningful_200_utf8.csv",
    "soba_synthetic_snow/tickets.csv",
])  # fmt: skip
def test_real_exports_run_with_no_flag_beyond_the_path(tmp_path, shared_data, name):
    rca(
        "train",
        f"--data.path={shared_data / name}",
        "--train.max_steps=3",
        "--eval.max_tickets=5",
        "--tracking.wandb=disabled",
        cwd=tmp_path,
    )
    (run,) = (p for p in (tmp_path / "runs").iterdir() if p.name != ".cache")
    assert {p.name for p in run.iterdir()} >= FILES
    facts = json.loads((run / "data.json").read_text())
    assert facts["rows"]["kept"] == facts["rows"]["in"]


def test_accelerate_launch_runs_the_script(tmp_path):
    command = [sys.executable, "-m", "accelerate.commands.launch", "--num_processes", "1", "--num_machines", "1", "--mixed_precision", "no",
               "--dynamo_backend", "no", str(ROOT / "rca_dist" / "train.py"), *SHORT, "--train.max_steps=2", "--tracking.wandb=disabled"]  # fmt: skip
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert "report:" in done.stdout


@pytest.mark.slow
def test_the_embedded_default_ends_between_oracle_and_untrained(tmp_path):
    done = rca("train", cwd=tmp_path, environment={"OMP_NUM_THREADS": str(os.cpu_count())})
    (run,) = tmp_path.glob("runs/tickets-tiny-*")
    systems = json.loads((run / "results.json").read_text())["splits"]["test"]["systems"]
    bits = {name: systems[name]["bits_per_byte"]["value"] for name in ("oracle", "model", "base")}
    assert bits["oracle"] < bits["model"] < 0.1 < bits["base"]
    assert systems["model"]["chrf"]["value"] > systems["nearest"]["chrf"]["value"]
    assert "tickets it has never seen" in done.stdout
