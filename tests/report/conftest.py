"""A made-up finished run with realistic numbers, for the page's tests and for looking at it."""

import json
import math
import random
from pathlib import Path
from typing import Any

import pytest

SYSTEMS = {"model": 0.412, "base": 0.118, "nearest": 0.361, "constant": 0.214, "random": 0.187, "copy": 0.166}
TICKETS = [
    ("VPN drops every hour on srv-vpn-02 since the Tuesday update. Users of the Lyon office are thrown out.",
     "Rolled back KB5034441 on srv-vpn-02 and raised the session lifetime to 8 h."),
    ("Imprimante HP-22 hors ligne après le déménagement du 3e étage.", "Reprise de l'adresse IP, pilote réinstallé."),
    ("Пользователь не может войти в почту после смены пароля", "Очищен кэш учётных данных, вход выполнен."),
    ("サーバーsrv-01が応答しない", "srv-01を再起動し、ログの容量を増やした。"),
    ("لا يمكن فتح التقرير الشهري <script>alert('x')</script> & \"quotes\"", "تم تحديث الصلاحيات"),
]  # fmt: skip


def cell(value: float, half: float, n: int = 200) -> dict[str, Any]:
    return {"value": value, "low": value - half, "high": value + half, "n": n}


def results() -> dict[str, Any]:
    systems: dict[str, Any] = {}
    for name, chrf in SYSTEMS.items():
        systems[name] = {
            "exact_match": cell(max(0.0, chrf - 0.3), 0.011),
            "token_f1": cell(chrf * 0.9, 0.02),
            "rouge_l": cell(chrf * 0.83, 0.02),
            "chrf": cell(chrf, 0.021),
            "bleu": cell(chrf * 0.45, 0.017),
        }
        if name in ("model", "base"):
            loss = 1.532 if name == "model" else 4.871
            likelihood = {"loss": cell(loss, 0.06), "perplexity": cell(math.exp(loss), 0.3)}
            likelihood |= {"bits_per_byte": cell(loss / 2.9, 0.02), "byte_perplexity": cell(2 ** (loss / 2.9), 0.02)}
            systems[name] = likelihood | {"token_accuracy": cell(0.631, 0.01)} | systems[name]
    systems["oracle"] = {"bits_per_byte": cell(0.388, 0.01), "byte_perplexity": cell(1.31, 0.01)}
    paired = {
        f"model-{name}": {m: cell(systems["model"][m]["value"] - c["value"], 0.021) for m, c in cells.items()}
        for name, cells in systems.items()
        if name != "model"
    }
    test = {"n": 200, "groups": 187, "systems": systems, "paired": paired, "primary_metric": "chrf"}
    test["verdict"] = (
        "The fine-tuned model beats copying the nearest old ticket (nearest) by 5.1 chrF points "
        "(95 % interval 3.0 to 7.2) on 200 tickets it has never seen."
    )
    return {"splits": {"validation": {**test, "n": 150, "verdict": "Validation sentence."}, "test": test}}


DATA = {
    "file": "/home/somebody/exports/incidents_2025.csv",
    "fingerprint": "sha256:0f3c19a7b2d4e6f80f3c19a7b2d4e6f8",
    "columns": {
        "id": {"columns": ["number"], "samples": ["INC001"]},
        "prompt": {"columns": ["short_description", "description"]},
        "answer": {"columns": ["close_notes"]},
    },
    "rows": {"in": 2417, "kept": 1834, "dropped": {"empty_answer": 391, "short_answer": 141, "duplicate_id": 51}},
    "cleaned": {"mail_signature": 412, "html": 1730},
    "redactions": {"email": 318, "phone": 97, "ip_address": 254, "password": 6},
    "languages": {"en": 1401, "fr": 380, "ru": 31, "ja": 22},
    "duplicates": {"groups": 1541, "largest": 37, "share": 0.184},
    "split": {"kind": "group", "train": 1484, "validation": 150, "test": 200, "templated": False},
    "truncated": {"prompts": 12, "answers": 0},
    "warnings": ["Column close_code repeats in 31 % of the answers: look whether it is filled in by a template."],
}
RUN = {
    "status": "finished", "created_at": "2026-03-04T09:12:44+00:00", "finished_at": "2026-03-04T09:31:02+00:00",
    "wall_seconds": 1098.2, "versions": {"rca_dist": "0.1.0", "torch": "2.13.0", "transformers": "5.3.0"},
    "commit": "4f2a9c1e8b7d", "world_size": 2, "backend": "ddp", "precision": "bf16", "seed": 17, "device": "NVIDIA L4",
    "data_fingerprint": "sha256:0f3c19a7b2d4e6f80f3c19a7b2d4e6f8", "wandb_id": None, "tokens_per_second": 10412.7,
    "peak_memory_bytes": 13_314_398_617, "parameters": 494_032_768, "trainable_parameters": 8_798_208,
    "model": "org/small-0.5b",
}  # fmt: skip


def lines(objects: list[dict[str, Any]]) -> str:
    return "".join(json.dumps(o, ensure_ascii=False) + "\n" for o in objects)


def metrics() -> list[dict[str, Any]]:
    rng, found = random.Random(0), []
    for step in range(5, 701, 5):
        loss = 1.35 + 3.5 * math.exp(-step / 120) + rng.gauss(0, 0.07)
        found.append({"step": step, "epoch": step / 116, "train/loss": loss, "train/lr": 1e-4, "train/grad_norm": 1.0})
        if step % 70 == 0:
            found.append({"step": step, "eval/loss": 1.52 + 3.3 * math.exp(-step / 110) + 3e-7 * step**2})
    return found


def predictions(n: int = 40) -> list[dict[str, Any]]:
    rng, found = random.Random(1), []
    for i in range(n):
        prompt, reference = TICKETS[i % len(TICKETS)]
        for split in ("validation", "test"):
            for name, level in SYSTEMS.items():
                answer = {"copy": prompt, "model": reference, "base": ""}.get(name, TICKETS[(i + 1) % len(TICKETS)][1])
                scores = {"chrf": min(1.0, max(0.0, rng.gauss(level, 0.2)))}
                texts = {"prompt": prompt, "reference": reference, "prediction": answer}
                found.append({"split": split, "id": f"INC{i:05d}", "system": name, **texts, "scores": scores})
    return found


def write_run(path: Path) -> Path:
    path.mkdir(parents=True, exist_ok=True)
    (path / "run.json").write_text(json.dumps(RUN), encoding="utf-8")
    (path / "data.json").write_text(json.dumps(DATA), encoding="utf-8")
    (path / "results.json").write_text(json.dumps(results()), encoding="utf-8")
    (path / "config.yaml").write_text("model:\n  name_or_path: org/small-0.5b\neval:\n  primary_metric: chrf\n")
    (path / "metrics.jsonl").write_text(lines(metrics()), encoding="utf-8")
    (path / "predictions.jsonl").write_text(lines(predictions()), encoding="utf-8")
    return path


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    return write_run(tmp_path / "runs" / "incidents-small-1a2b3c")
