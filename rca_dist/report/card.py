"""The model card: `README.md` of a run's `model/` folder. Reads the run directory and nothing else."""

from pathlib import Path
from typing import Any

from rca_dist.report.summary import summary_lines
from rca_dist.runtime.files import read_json, write_text


def write_card(run_dir: Path) -> Path:
    """Write `model/README.md` from run.json, data.json and results.json; says what is missing."""
    run: dict[str, Any] = read_json(run_dir / "run.json") or {}
    data: dict[str, Any] = read_json(run_dir / "data.json") or {}
    results: dict[str, Any] = read_json(run_dir / "results.json") or {"splits": {}}
    rows, split = data.get("rows", {}), data.get("split", {})
    sizes = ", ".join(f"{side} {count}" for side, count in split.get("sizes", {}).items())
    lines = [
        "---", "library_name: transformers", "pipeline_tag: text-generation", "tags: [rca_dist, it-tickets]", "---", "",
        f"# {run.get('name', run_dir.name)}", "",
        f"Drafts resolutions of IT tickets. Fine-tuned with rca_dist {run.get('versions', {}).get('rca_dist', '?')} from "
        f"`{run.get('model', '?')}` ({run.get('parameters', 0):,} parameters, {run.get('trainable_parameters', 0):,} trained).",
        "", "## Intended use and limits", "",
        "A first draft for an engineer who knows the systems, never an answer sent unread. It has seen one "
        "organisation's tickets and repeats their habits; names, hosts and versions in a draft may be invented.",
        *_moved(run),
        "", "## Data", "",
        f"- fingerprint: `{run.get('data_fingerprint', '?')}`",
        f"- rows: {rows.get('in', '?')} read, {rows.get('kept', '?')} used",
        f"- split: {split.get('kind', '?')} ({sizes})",
        "- personal data and secrets replaced before training: " + (
            f"yes, by patterns; people's names {_names(data)}" if data.get("redaction", {}).get("on", True)
            else "NO (data.redact=false): drafts may recite personal data"),
        "", "## Scores", "",
    ]  # fmt: skip
    for name, result in results["splits"].items():
        lines += ["```", *summary_lines(name, result), "```", ""]
    lines += ["Values stand with 95 % bootstrap intervals over groups of near-duplicate tickets.", ""]
    path = run_dir / "model" / "README.md"
    write_text(path, "\n".join(lines))
    return path


def _moved(run: dict[str, Any]) -> list[str]:
    """How to load an adapter whose folder has been moved: peft reads the base model's place from its config."""
    if run.get("trainable_parameters", 0) == run.get("parameters", 0):
        return []
    name = str(run.get("model", "?"))
    base = "this folder's `base`" if name.startswith("builtin:") else f"`{name}`"
    return [
        "",
        f"This is a LoRA adapter; its config names the base model by place. Moved elsewhere, load the base model ({base}) "
        "with `AutoModelForCausalLM.from_pretrained` and put the adapter on it: `PeftModel.from_pretrained(base, FOLDER)`.",
    ]


def _names(data: dict[str, Any]) -> str:
    languages = data.get("redaction", {}).get("names") or []
    return f"by a model for {', '.join(languages)}" if languages else "only beside a title, a role or a closing"
