"""What a training run leaves behind: its directory's life, trackers, checkpoints, results and report."""

import dataclasses
import json
import logging
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rca_dist import estimates
from rca_dist.config import Config
from rca_dist.errors import Stopped, UserError
from rca_dist.evaluation.evaluator import Evaluator
from rca_dist.model.adapter import HFModelAdapter
from rca_dist.report.card import write_card
from rca_dist.report.html import write_report
from rca_dist.report.summary import print_outcome
from rca_dist.runtime import meters
from rca_dist.runtime.checkpoint import Checkpoints
from rca_dist.runtime.distributed import Distributed
from rca_dist.runtime.files import aside, full_disk_said, read_json, write_json
from rca_dist.runtime.preemption import StopRequest
from rca_dist.runtime.rundir import FAILED, FINISHED, INTERRUPTED, RunDirectory
from rca_dist.runtime.tracking import JsonlTracker, NullTracker, Tracker, start_wandb, wandb_mode
from rca_dist.tokens.encode import RCADataset
from rca_dist.training.progress import duration
from rca_dist.training.rehearsal import rehearse
from rca_dist.training.trainer import Trainer
from rca_dist.wiring import Prepared, wandb_config

log = logging.getLogger(__name__)


class Session:
    """One start of a run. Files are rank 0's; the other ranks take part in the collectives."""

    def __init__(self, config: Config, prepared: Prepared, distributed: Distributed) -> None:
        self.config = config
        self.prepared = prepared
        self.run = prepared.run
        self.distributed = distributed
        options = config.checkpoint
        self.checkpoints = Checkpoints(
            self.run.path / "checkpoints", distributed, keep_last=options.keep_last, keep_best=options.keep_best,
            background=options.background, on_error=options.on_error, seed=config.run.seed,
        )  # fmt: skip
        self.tracker: Tracker | NullTracker = NullTracker()
        self.stop_requested = StopRequest(config.train.max_minutes, self.run.path / "STOP").install()
        self.trainer: Trainer | None = None
        self.resume_from: Path | None = None
        self.evaluation_due = False

    def open(self, adapter: HFModelAdapter, datasets: dict[str, RCADataset]) -> dict[str, Any]:
        """Mark the run running, find its newest checkpoint, start the trackers. Returns the trainer's parts. Collective."""
        # The directory is locked first: looking for a checkpoint clears away half-written ones, which another start may own.
        self.distributed.on_main(lambda: self._begin(adapter))
        found = self._own_checkpoints()
        self.resume_from, step = (found[0], int(found[1]["step"])) if found else (None, 0)
        self.evaluation_due = bool(found and found[1].get("evaluation_due"))
        self.distributed.on_main(lambda: self._open_files(datasets, step))
        return {
            "log_row": self.tracker.log, "checkpoints": self.checkpoints,
            "stop_requested": self.stop_requested,
        }  # fmt: skip

    def _own_checkpoints(self) -> tuple[Path, dict[str, Any]] | None:
        """The newest whole checkpoint of this run, brought here first where `checkpoint.resume` names one. Collective."""
        store, source, dist = self.checkpoints, self.prepared.source, self.distributed
        if source is not None and not dist.on_main(store.complete):
            dist.on_main_patiently(lambda: source.bring(store.folder))
        names = ("config_hash", "model", "wandb_id", "starts")
        store.identity = self.prepared.identity | dist.on_main(lambda: {name: self.run.facts[name] for name in names})
        store.before_publish = self._before_publish
        return store.newest_valid()

    def _before_publish(self) -> None:
        """On rank 0: a checkpoint counts only while this start owns the directory and after the rows that lead to it."""
        self.run.check_mine()
        self.tracker.flush()

    def _begin(self, adapter: HFModelAdapter) -> None:
        config, dist, prepared = self.config, self.distributed, self.prepared
        total, trainable = adapter.parameter_counts()
        estimates.check_disk(config, adapter, dist, self.run.path)
        self.run.begin(
            overwrite=config.run.overwrite or config.checkpoint.resume == "never",
            config_yaml=config.to_yaml(),
            facts={
                "name": config.run.name or self.run.path.name, "config_hash": prepared.config_hash,
                "data_fingerprint": prepared.tickets.fingerprint, "model": config.model.name_or_path,
                "parameters": total, "trainable_parameters": trainable, "world_size": dist.world_size,
                "backend": dist.backend, "precision": dist.precision, "device": str(dist.device),
                "seed": config.run.seed, "split_seed": config.split.seed,
                "settings": prepared.identity["settings"], "resumed_from": prepared.resumed_from,
            },
        )  # fmt: skip
        if "wandb_id" not in self.run.facts:
            self.run.save(wandb_id=f"{prepared.config_hash}-{secrets.token_hex(3)}")

    def _open_files(self, datasets: dict[str, RCADataset], step: int) -> None:
        prepared, form = self.prepared, datasets["train"].form
        if form is not None:
            self.run.save(prompt=dataclasses.asdict(form))
        cut = [dataset.truncations for dataset in datasets.values()]
        facts = {key: value for key, value in prepared.tickets.facts.items() if key != "raw_samples"}
        facts |= {"truncated": {kind: sum(c[kind] for c in cut) for kind in ("prompts", "answers")}}
        write_json(self.run.path / "data.json", facts)
        with aside(self.run.path / "split.parquet") as path:
            prepared.tickets.frame[["id", "split", "fold", "group"]].to_parquet(path, index=False)
        self._start_trackers(step)
        self._say_what_comes(facts, datasets, step)

    def _start_trackers(self, step: int) -> None:
        tracking = self.config.tracking
        record = JsonlTracker(self.run.path / "metrics.jsonl", keep_to_step=step, evaluation_due=self.evaluation_due)
        others = start_wandb(
            self.run.path, mode=wandb_mode(tracking.wandb), run_id=self.run.facts["wandb_id"], project=tracking.project,
            entity=tracking.entity, group=tracking.group, tags=tracking.tags, name=self.config.run.name,
            config=wandb_config(self.config),
        )  # fmt: skip
        self.tracker = Tracker(record, others)

    def _say_what_comes(self, facts: dict[str, Any], datasets: dict[str, RCADataset], step: int) -> None:
        dist, train = self.distributed, datasets["train"]
        for warning in facts.get("warnings", []):
            log.warning("warning: %s", warning)
        if any(facts["truncated"].values()):
            log.warning("warning: train.max_length cut %(prompts)d ticket texts and %(answers)d answers", facts["truncated"])
        log.info(
            "%d training, %d validation, %d test tickets; %s training tokens; %s parameters; %d x %s, %s",
            *(len(datasets[split]) for split in ("train", "validation", "test")), f"{int(train.lengths.sum()):,}",
            f"{self.run.facts['parameters']:,}", dist.world_size, dist.device.type, dist.precision,
        )  # fmt: skip
        log.info("run directory: %s%s", self.run.path, f" (going on from step {step})" if step else "")

    def resume(self, trainer: Trainer, adapter: HFModelAdapter) -> None:
        """Put the newest checkpoint, if any, into the trainer, and say how its steps are computed. Collective."""
        self.trainer = trainer
        self.checkpoints.position = lambda step: {"examples": trainer.plan.examples_before(step)}
        trainer.settle_batching()
        self.distributed.on_main(lambda: self.run.save(**estimates.say_batching(self.config, trainer)))
        if self.resume_from is not None:
            self.checkpoints.load(self.resume_from, trainer.engine)
            trainer.resume(read_json(self.resume_from / "manifest.json") or {})
        if trainer.step < trainer.total_steps:
            # Before anything else runs with the full budget, if only to be timed.
            trainer.fit_memory()
        expected = estimates.describe(
            self.config, trainer, adapter, self.prepared.tickets, checkpointing=adapter.recomputes, folder=self.run.path
        )
        if self.distributed.is_main:
            log.info("%s", expected)

    @contextmanager
    def guarded(self) -> Iterator[None]:
        """Around the job: however it ends, run.json and the trackers say so."""
        try:
            yield
        except BaseException as error:
            if self.distributed.is_main and self.run.lock is not None:
                self._note_end(error)
            raise
        # After the last collective: on a dead network this may take its time.
        self.tracker.finish(0)
        self.distributed.close()

    def _note_end(self, error: BaseException) -> None:
        stopped = isinstance(error, Stopped)
        facts = {} if stopped else {"error": f"{type(error).__name__}: {error}"}
        try:
            self.run.end(INTERRUPTED if stopped else FAILED, **facts)
            self.tracker.finish(0 if stopped else 1)
        except (UserError, OSError) as problem:
            # What ended the run is what is to be seen.
            log.warning("warning: run.json cannot say how the run ended (%s)", problem)

    def save_model(self, adapter: HFModelAdapter) -> None:
        """Write `model/`, complete or not at all, from the weights of all ranks. Collective."""
        assert self.trainer is not None
        state = self.trainer.engine.full_state(trainable_only=adapter.is_lora)
        self.distributed.on_main(lambda: self._save_model(adapter, state))

    def _save_model(self, adapter: HFModelAdapter, state: dict[str, Any]) -> None:
        self.run.check_mine()
        target, temporary = self.run.path / "model", self.run.path / ".model.tmp"
        shutil.rmtree(temporary, ignore_errors=True)
        with full_disk_said(target):
            adapter.save(temporary, state, home=target)
        shutil.rmtree(target, ignore_errors=True)
        temporary.replace(target)

    def write_results(self, results: dict[str, dict[str, Any]], evaluator: Evaluator, *, wall_seconds: float) -> None:
        """Write results.json, predictions.jsonl, the model card and the report, and print the verdict. Collective."""
        peak = max(self.distributed.gather(meters.peak_memory_bytes()))
        self.distributed.on_main(lambda: self._write_results(results, evaluator, wall_seconds, peak))

    def _write_results(self, results: dict[str, Any], evaluator: Evaluator, wall_seconds: float, peak: int) -> None:
        assert self.trainer is not None
        self.run.check_mine()
        folder = self.run.path
        write_json(folder / "results.json", {"splits": results})
        with aside(folder / "predictions.jsonl") as path, path.open("w", encoding="utf-8", newline="\n") as handle:
            for split in results:
                for record in evaluator.predictions(split):
                    handle.write(json.dumps(record, ensure_ascii=False) + "\n")
        self.run.end(
            FINISHED, wall_seconds=round(wall_seconds, 1), peak_memory_bytes=peak, steps=self.trainer.step,
            weights_step=self.trainer.weights_step or self.trainer.step, stopped_early=self.trainer.best.exhausted,
            tokens_per_second=round(self.trainer.tokens / max(self.trainer.seconds, 1e-9), 1),
        )  # fmt: skip
        write_card(folder)
        write_report(folder)
        scores = {
            f"{split}/{system}/{metric}{suffix}": cell[part]
            for split, result in results.items()
            for system, cells in result["systems"].items()
            for metric, cell in cells.items()
            for part, suffix in (("value", ""), ("low", "_low"), ("high", "_high"))
            if cell[part] is not None
        }
        self.tracker.summary(scores)
        log.info("finished in %s", duration(wall_seconds))
        print_outcome(self.run.path)

    @staticmethod
    def already_finished(run: RunDirectory, distributed: Distributed) -> int:
        """Print the verdict of a run that is done; nothing is computed again."""
        if distributed.is_main:
            log.info("this run is finished; --run.overwrite repeats it")
            print_outcome(run.path)
        return 0

    def dry_run(self, trainer: Trainer) -> int:
        """Forward and backward of the longest micro-batch, and what a run would take; nothing is written."""
        facts = rehearse(trainer)
        if self.distributed.is_main:
            print(
                f"dry run: {trainer.total_steps} steps of {self.config.train.global_batch_size} examples, "
                f"{trainer.plan.steps_per_epoch} steps per epoch"
            )
            print(
                f"longest micro-batch: {facts['examples']} examples, {facts['positions']} positions, {facts['seconds']:.2f} s, "
                f"loss {facts['loss']:.3f}, peak memory {facts['peak_memory_bytes'] / 2**30:.2f} GiB so far, "
                f"optimizer state {facts['optimizer_bytes'] / 2**30:.2f} GiB more"
            )
            print(f"run directory would be: {self.run.path}")
        self.distributed.close()
        return 0
