"""What happens between two steps: log, evaluate, save, stop; and how a checkpoint's counters are taken up again."""

import logging
import math
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from rca_dist.errors import Stopped
from rca_dist.runtime import faults, heartbeat
from rca_dist.runtime.preemption import stopped
from rca_dist.training.best import Best

if TYPE_CHECKING:
    from rca_dist.training.trainer import Trainer

log = logging.getLogger(__name__)


class Boundary:
    """The decisions after a step; all ranks take them alike.

    Attributes: `stop` whether any rank was asked to stop, `written` whether all ranks have written their part of a checkpoint,
    `due` whether the evaluation of the step that the run goes on from was interrupted.
    """

    def __init__(self, trainer: "Trainer") -> None:
        self.trainer = trainer
        self.stop = self.written = self.due = self.guarded = False

    def agree(self, *, failed: bool) -> bool:
        """The one reduction of a step: was anybody asked to stop, is a checkpoint written, did anybody run out of memory?

        Collective. Returns the last.
        """
        trainer = self.trainer
        written = trainer.checkpoints is not None and trainer.checkpoints.written
        asked = [float(trainer.stop_requested()), float(written), float(failed)]
        stop, count, failures = trainer.distributed.global_sum(asked)
        self.stop, self.written = stop > 0, count == trainer.distributed.world_size
        return failures > 0

    def log(self, tokens: int, mark: float) -> None:
        """A row for the step just done; `tokens` since the last row, `mark` when they began (perf_counter). Collective."""
        trainer = self.trainer
        assert trainer.last is not None
        loss, norm = trainer.check_finite(), trainer.last[2]
        self._guard()
        # Reading the loss waited for the device, so the clock is honest from here on.
        seconds = time.perf_counter() - mark
        trainer.tokens += tokens
        trainer.seconds += seconds
        trainer.row = {
            "step": trainer.step,
            "epoch": round(trainer.epoch, 6),
            "train/loss": loss,
            "train/lr": trainer.optimizer.param_groups[0]["lr"],
            "train/grad_norm": float(norm),
            "train/tokens_per_second": round(tokens / seconds, 1),
        }
        if scale := trainer.engine.scale:
            trainer.row |= {"train/loss_scale": scale.value, "train/skipped_steps": scale.skipped}
        trainer.log_row(trainer.row)
        trainer.progress.update(trainer.step, trainer.row)
        trainer.fire("on_log")

    def _guard(self) -> None:
        """Once, after the first step: do all ranks train one model? Collective. Raises: RuntimeError."""
        if not self.guarded:
            self.guarded = True
            # Lone processes that believe they are a group differ from here on, without any other sign.
            self.trainer.distributed.same_everywhere(self.trainer.engine.checksum(), "the sum of all parameters after a step")

    def pass_by(self) -> None:
        """Publish, evaluate, save and stop, as far as each is due after this step. Collective. Raises: Stopped."""
        trainer, store = self.trainer, self.trainer.checkpoints
        if store and self.written:
            store.publish()
        last, improved, interrupted = trainer.step == trainer.total_steps, False, False
        # A checkpoint that says so must not say it for ever: the next start would evaluate and log once more.
        was_due = self.due
        if trainer.evaluate and (self.due or trainer.step % trainer.eval_steps == 0 or last):
            try:
                improved = self._evaluate()
            except Stopped:
                trainer.model.train()
                interrupted = True
        self.due = interrupted
        done = (last or trainer.best.exhausted) and not interrupted
        stop = interrupted or (self.stop and not done)
        best = improved and (trainer.keep_best or getattr(store, "keep_best", False))
        if store and (trainer.step % trainer.save_steps == 0 or done or stop or best or was_due):
            self._save(must=done or stop)
        if stop:
            trainer.progress.close()
            during = "during the evaluation " if interrupted else ""
            raise stopped(trainer.stop_requested, f"{during}after step {trainer.step} of {trainer.total_steps}")

    def _evaluate(self) -> bool:
        """Score the validation side. Returns whether this is the best so far. Raises: Stopped on all ranks."""
        trainer = self.trainer
        assert trainer.evaluate is not None
        heartbeat.at("evaluation", trainer.step)
        trainer.model.eval()
        numbers = trainer.evaluate()
        trainer.model.train()
        # One decision for all: a callback may have numbers on rank 0 only.
        loss = trainer.distributed.on_main(lambda: float(numbers.get("eval/loss", math.inf)))
        improved = trainer.best.see(trainer.step, loss)
        trainer.row = {"step": trainer.step, "epoch": round(trainer.epoch, 6), **numbers}
        trainer.log_row(trainer.row)
        trainer.progress.note(trainer.step, numbers)
        trainer.fire("on_evaluate")
        return improved

    def _save(self, *, must: bool) -> None:
        trainer = self.trainer
        assert trainer.checkpoints is not None
        heartbeat.at("saving", trainer.step)
        # Weights that are not finite must never become the state to go on from.
        trainer.check_finite()
        facts = {
            "epoch": trainer.epoch,
            "best": trainer.best.state(),
            "budget": trainer.memory.state(),
            "evaluation_due": self.due,
        }
        keep = trainer.best.step if trainer.keep_best else None
        trainer.checkpoints.save(trainer.step, trainer.engine, facts, keep=keep, must=must)
        trainer.fire("on_save")

    def end(self) -> None:
        """Say why training ended early, and put the best weights back where these are to be kept. Collective."""
        trainer, best, talks = self.trainer, self.trainer.best, self.trainer.distributed.is_main
        heartbeat.at("end", trainer.step)
        faults.at("end", trainer.step)
        if trainer.checkpoints:
            trainer.checkpoints.finish()
        if best.exhausted and talks:
            log.info("stopped early after step %d: %d validation losses in a row were not the best", trainer.step, best.worse)
        if not trainer.keep_best or best.step is None:
            return
        if best.step != trainer.step and trainer.checkpoints:
            if not trainer.checkpoints.has(best.step):
                if talks:
                    log.warning(
                        "warning: the best weights, those after step %d, could not be written: the weights are the last "
                        "ones, after step %d", best.step, trainer.step,
                    )  # fmt: skip
                return
            trainer.checkpoints.load_step(best.step, trainer.engine)
            trainer.weights_step = best.step
        if talks:
            log.info("the weights are those after step %d, validation loss %.4f", best.step, best.loss)

    def take_up(self, manifest: Mapping[str, Any]) -> None:
        """The counters of a checkpoint whose state has been loaded into the engine. Collective."""
        trainer = self.trainer
        trainer.step = int(manifest["step"])
        self.due = bool(manifest.get("evaluation_due"))
        trainer.memory.restore(manifest.get("budget"))
        if "best" in manifest:
            trainer.best.restore(manifest["best"])
        best = trainer.best.step
        if trainer.keep_best and best is not None and trainer.checkpoints and not trainer.checkpoints.is_whole(best):
            # Better now than after hours of training.
            trainer.best = Best(trainer.best.patience)
            if trainer.distributed.is_main:
                log.warning(
                    "warning: the weights of the best step so far, %d, are lost: the best is looked for from here on", best
                )
