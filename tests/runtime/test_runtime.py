"""Files, run directory, checkpoints, trackers, launcher options."""

import json
import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from rca_dist.errors import UserError
from rca_dist.runtime import files, launch, tracking
from rca_dist.runtime.checkpoint import Checkpoints, random_state, set_random_state
from rca_dist.runtime.distributed import resolve_precision, set_seed
from rca_dist.runtime.rundir import RunDirectory, default_name
from rca_dist.runtime.tracking import JsonlTracker, Tracker, start_wandb, wandb_mode


def test_a_file_appears_complete_or_not_at_all(tmp_path):
    path = tmp_path / "a.json"
    files.write_json(path, {"n": np.float64(1.5), "p": Path("x")})
    assert files.read_json(path) == {"n": 1.5, "p": "x"}
    with pytest.raises(ValueError, match="Out of range"):
        files.write_json(path, {"n": float("nan")})
    with pytest.raises(RuntimeError), files.aside(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert files.read_json(path) == {"n": 1.5, "p": "x"}
    assert [p.name for p in tmp_path.iterdir()] == ["a.json"]
    path.write_text("{")
    assert files.read_json(path) is None


def test_unwritable_places_are_found_before_work(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"run\.output_dir=.*is a file, not a directory"):
        files.check_writable(tmp_path / "file" / "run", "run.output_dir")
    files.check_writable(tmp_path / "not" / "yet", "run.output_dir")
    assert not (tmp_path / "not").exists()


def test_emptying_a_cache_leaves_other_files(tmp_path):
    for name in ("tokens-1.safetensors", "builtin-tickets-1-0.csv", "mine.txt"):
        (tmp_path / name).write_text("12345")
    (tmp_path / "tickets-9").mkdir()
    (tmp_path / "tickets-9" / "x").write_text("123")
    assert files.empty_cache(tmp_path) == (3, 13)
    assert [p.name for p in tmp_path.iterdir()] == ["mine.txt"]


@pytest.mark.parametrize(
    ("data", "model", "name"),
    [
        ("builtin:tickets", "builtin:tiny", "tickets-tiny-h"),
        ("/a/My export (1).csv.gz", "Qwen/Qwen2.5-0.5B", "My-export-1-Qwen2-h"),
        ("tickets.csv", "./models/m/", "tickets-m-h"),
        ("/x/...", "///", "x-x-h"),
    ],
)
def test_names_of_run_directories(data, model, name):
    assert default_name(data, model, "h") == name


def test_life_of_a_run_directory(tmp_path):
    path = tmp_path / "run"
    run = RunDirectory(path)
    run.check("a", overwrite=False)
    run.begin(overwrite=False, config_yaml="x: 1\n", facts={"config_hash": "a"})
    assert (run.status, run.facts["starts"]) == ("running", 1)
    run.release()
    again = RunDirectory(path)
    again.check("a", overwrite=False)
    with pytest.raises(UserError, match=r"other settings or data.*--run\.overwrite"):
        again.check("b", overwrite=False)
    again.begin(overwrite=False, config_yaml="x: 1\n", facts={"config_hash": "a"})
    assert (again.facts["starts"], again.facts["created_at"]) == (2, run.facts["created_at"])
    again.end("finished", wall_seconds=1.0)
    assert RunDirectory(path).status == "finished"
    (path / "old").write_text("")
    RunDirectory(path).begin(overwrite=True, config_yaml="", facts={"config_hash": "b"})
    assert not (path / "old").exists()


def test_two_starts_do_not_share_a_directory(tmp_path):
    code = (
        "import sys; from pathlib import Path; from rca_dist.runtime.rundir import RunDirectory\n"
        "RunDirectory(Path(sys.argv[1])).begin(overwrite=True, config_yaml='', facts={})"
    )
    run = RunDirectory(tmp_path / "run")
    run.begin(overwrite=False, config_yaml="x", facts={"config_hash": "a"})
    done = subprocess.run([sys.executable, "-c", code, str(run.path)], capture_output=True, text=True, timeout=60)
    assert "another start of this run is at work" in done.stderr
    assert (run.path / "config.yaml").read_text() == "x"


def test_foreign_directories_are_left_alone(tmp_path):
    (tmp_path / "thesis.doc").write_text("years of work")
    run = RunDirectory(tmp_path)
    with pytest.raises(UserError, match="no run of ours"):
        run.check("a", overwrite=False)
    with pytest.raises(UserError, match="leaves it alone"):
        run.begin(overwrite=True, config_yaml="", facts={})
    assert (tmp_path / "thesis.doc").exists()


class Tied(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = torch.nn.Linear(3, 3), torch.nn.Linear(3, 3)
        self.b.weight = self.a.weight


def saved(folder, distributed, step, model=None, keep_last=2):
    model = model or Tied()
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1)
    model.a(torch.ones(2, 3)).sum().backward()
    optimizer.step()
    store = Checkpoints(folder, distributed, keep_last=keep_last)
    store.save(step, distributed.prepare(model, optimizer), {"epoch": 0.5})
    return store, model, optimizer


def test_checkpoint_brings_everything_back(tmp_path, distributed):
    set_seed(4)
    store, model, optimizer = saved(tmp_path, distributed, 7)
    expected = [torch.rand(1).item(), np.random.rand(), random.random()]
    path, manifest = store.newest_valid()
    assert (manifest["step"], manifest["epoch"], manifest["world_size"], (tmp_path / "latest").read_text()) == (
        7,
        0.5,
        1,
        "step-000007\n",
    )
    other = Tied()
    other_optimizer = torch.optim.AdamW(other.parameters(), lr=0.9)
    store.load(path, distributed.prepare(other, other_optimizer))
    assert [torch.rand(1).item(), np.random.rand(), random.random()] == expected
    assert other.b.weight is other.a.weight
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), other.parameters(), strict=True))
    assert str(other_optimizer.state_dict()) == str(optimizer.state_dict())


def test_old_checkpoints_go_and_others_stay(tmp_path, distributed):
    for step in (1, 2, 3):
        store, *_ = saved(tmp_path, distributed, step)
    assert [p.name for p in store.complete()] == ["step-000002", "step-000003"]


def damage_truncate(path):
    (path / "model.safetensors").write_bytes((path / "model.safetensors").read_bytes()[:-9])


def damage_flip(path):
    data = bytearray((path / "optimizer.pt").read_bytes())
    data[len(data) // 2] ^= 1
    (path / "optimizer.pt").write_bytes(data)


def damage_remove(path):
    (path / "rng-0.pt").unlink()


def damage_manifest(path):
    (path / "manifest.json").write_text("{")


@pytest.mark.parametrize("damage", [damage_truncate, damage_flip, damage_remove, damage_manifest])
def test_a_damaged_checkpoint_is_skipped_for_the_one_before(tmp_path, distributed, damage):
    for step in (1, 2):
        store, *_ = saved(tmp_path, distributed, step)
    damage(tmp_path / "step-000002")
    assert store.newest_valid()[1]["step"] == 1
    damage(tmp_path / "step-000001")
    with pytest.raises(UserError, match="no checkpoint of this run is whole"):
        store.newest_valid()


def test_order_of_checkpoints_is_by_number(tmp_path, distributed):
    for step in (999_999, 1_000_000):
        store, *_ = saved(tmp_path, distributed, step, keep_last=1)
    assert [p.name for p in store.complete()] == ["step-1000000"]


def test_half_written_checkpoints_do_not_count(tmp_path, distributed):
    assert Checkpoints(tmp_path, distributed).newest_valid() is None
    (tmp_path / "step-000009.tmp").mkdir()
    assert Checkpoints(tmp_path, distributed).newest_valid() is None
    assert not list(tmp_path.iterdir())


def test_random_state_round_trip():
    state = random_state()
    first = (torch.rand(2).tolist(), np.random.rand(), random.random())
    set_random_state(state)
    assert (torch.rand(2).tolist(), np.random.rand(), random.random()) == first


def test_jsonl_is_cut_back_to_the_checkpoint(tmp_path):
    path = tmp_path / "metrics.jsonl"
    tracker = JsonlTracker(path)
    for step in (1, 2, 3):
        tracker.log({"step": step, "train/loss": float("nan") if step == 2 else 0.5})
    tracker.finish()
    with path.open("a") as handle:
        handle.write('{"step": 4, "tr')
    tracker = JsonlTracker(path, keep_to_step=2)
    tracker.log({"step": 3, "train/loss": 0.25})
    tracker.finish()
    assert [json.loads(line) for line in path.read_text().splitlines()] == [
        {"step": 1, "train/loss": 0.5},
        {"step": 2, "train/loss": None},
        {"step": 3, "train/loss": 0.25},
    ]
    # An evaluation that is going to be done again is logged again.
    tracker = JsonlTracker(path)
    tracker.log({"step": 2, "train/loss": 0.5})
    tracker.log({"step": 2, "eval/loss": 0.5})
    tracker.finish()
    JsonlTracker(path, keep_to_step=2, evaluation_due=True).finish()
    assert [json.loads(line) for line in path.read_text().splitlines()] == [{"step": 2, "train/loss": 0.5}]
    JsonlTracker(path).finish()
    assert path.read_text() == ""


def test_a_failing_sink_is_dropped_once_and_the_record_goes_on(tmp_path, caplog):
    class Broken:
        calls = 0

        def log(self, row):
            Broken.calls += 1
            raise ConnectionResetError("gone")

    tracker = Tracker(JsonlTracker(tmp_path / "m.jsonl"), [Broken()])
    tracking.log.propagate = True
    logger = tracking.logging.getLogger("rca_dist")
    logger.propagate = True
    for step in (1, 2):
        tracker.log({"step": step})
    tracker.finish()
    assert Broken.calls == 1
    assert len((tmp_path / "m.jsonl").read_text().splitlines()) == 2
    assert sum("Broken failed" in record.message for record in caplog.records) == 1


def test_choice_of_wandb_mode(monkeypatch, tmp_path):
    monkeypatch.delenv("WANDB_MODE", raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    assert wandb_mode("auto") == "offline"
    with pytest.raises(UserError, match="wandb login"):
        wandb_mode("online")
    (tmp_path / "netrc").write_text("machine api.wandb.ai login user password x\n")
    (tmp_path / "netrc").chmod(0o600)
    assert wandb_mode("auto") == "online"
    monkeypatch.setenv("WANDB_MODE", "disabled")
    assert wandb_mode("auto") == "disabled"
    assert wandb_mode("offline") == "offline"


@pytest.mark.process
def test_wandb_gets_the_numbers_and_nothing_else(tmp_path):
    planted = "PLANTED-4711"
    folder = tmp_path / planted
    folder.mkdir()
    code = (
        "import sys; from pathlib import Path; from rca_dist.runtime.tracking import start_wandb\n"
        f"print('{planted}')\n"
        "sink, = start_wandb(Path(sys.argv[1]), mode='offline', run_id='abc', project='p', entity=None, group=None, tags=[],"
        " name=None, config={'train.max_steps': 3})\n"
        f"sink.log({{'step': 1, 'train/loss': 0.125, 'text': '{planted}'}})\n"
        f"sink.summary({{'test/model/chrf': 0.5, 'note': '{planted}'}})\n"
        f"print('{planted}'); sink.finish(0)"
    )
    subprocess.run([sys.executable, "-c", code, str(folder), planted], check=True, capture_output=True, cwd=folder, timeout=120)
    (run,) = (folder / "wandb").glob("offline-run-*")
    found = [str(p) for p in run.rglob("*") if p.is_file() and planted.encode() in p.read_bytes()]
    assert found == []
    wandb = str(Path(sys.executable).with_name("wandb"))
    out = subprocess.run([wandb, "leet", "inspect", "--json", str(run)], capture_output=True, text=True, timeout=60).stdout
    rows = [r["history"]["item"] for r in map(json.loads, out.splitlines()) if r["type"] == "history"]
    assert any(json.dumps(0.125) in json.dumps(row) for row in rows)


def test_no_sink_when_disabled(tmp_path):
    assert start_wandb(tmp_path, mode="disabled") == []


def test_visible_gpus(monkeypatch):
    for text, count in (("", 0), ("-1", 0), ("0,3", 2)):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", text)
        assert launch.gpus() == count


def test_precision_follows_the_device(monkeypatch):
    cpu = torch.device("cpu")
    assert resolve_precision("fp32", cpu) == "fp32"
    assert resolve_precision("auto", torch.device("mps")) == "fp32"
    monkeypatch.setattr("rca_dist.runtime.distributed.has_bf16", lambda device: True)
    assert resolve_precision("auto", cpu) == "bf16"


def test_a_first_signal_sets_the_flag_and_a_second_leaves():
    code = (
        "import os, signal; from rca_dist.runtime.preemption import StopRequest; s = StopRequest().install()\n"
        "assert not s(); os.kill(os.getpid(), signal.SIGUSR1); assert s(); print('flag', flush=True)\n"
        "os.kill(os.getpid(), signal.SIGTERM); print('one request', flush=True); s.at -= 60\n"
        "os.kill(os.getpid(), signal.SIGTERM); print('never')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout == "flag\none request\n"
    assert done.returncode == 128 + signal.SIGTERM


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")
def test_bf16_is_native_on_a_recent_gpu():
    assert resolve_precision("auto", torch.device("cuda")) == "bf16"


def test_environment_of_the_tests_is_clean():
    assert "RANK" not in os.environ


def test_a_time_limit_is_a_request_to_stop():
    from rca_dist.runtime.preemption import StopRequest

    assert not StopRequest()()
    assert (StopRequest(60.0)(), StopRequest(60.0).reason) == (False, "on request")
    spent = StopRequest(1e-9)
    deadline = spent.ends_at + 1
    import time

    while not spent() and time.monotonic() < deadline:
        pass
    assert spent()
    assert spent.reason == "at the time limit of 1e-09 min (train.max_minutes)"
    spent.received = "SIGTERM"
    assert spent.reason == "on request"
