"""What a person sees while training: a bar on a terminal, plain lines elsewhere."""

import logging
import sys
import time
from collections.abc import Mapping
from typing import Any

log = logging.getLogger(__name__)
LINE_EVERY_SECONDS = 10.0


class Progress:
    """Loss, speed and time left of a run of `total` steps; silent unless `shown`."""

    def __init__(self, total: int, *, shown: bool) -> None:
        self.total = total
        self.shown = shown
        self.bar: Any = None
        self.first = 0
        self.began = self.last_line = 0.0

    def start(self, step: int) -> None:
        """Begin at `step` steps done."""
        self.first, self.began = step, time.perf_counter()
        self.last_line = self.began
        if self.shown and sys.stderr.isatty():
            from tqdm import tqdm

            self.bar = tqdm(total=self.total, initial=step, unit="step", dynamic_ncols=True)

    def update(self, step: int, row: Mapping[str, Any]) -> None:
        """Show a logged row."""
        text = f"loss {row['train/loss']:.3f}, {row['train/tokens_per_second']:,.0f} tokens/s"
        if self.bar is not None:
            self.bar.update(step - self.bar.n)
            self.bar.set_postfix_str(text)
            return
        now = time.perf_counter()
        if self.shown and (now - self.last_line >= LINE_EVERY_SECONDS or step in (self.first + 1, self.total)):
            self.last_line = now
            left = (now - self.began) / max(1, step - self.first) * (self.total - step)
            log.info("step %d/%d: %s, %s left", step, self.total, text, duration(left))

    def note(self, step: int, numbers: Mapping[str, float]) -> None:
        """Show an evaluation."""
        if self.shown:
            text = ", ".join(f"{name.removeprefix('eval/')} {value:.4f}" for name, value in numbers.items())
            if self.bar is not None:
                self.bar.write(f"step {step}: validation {text}")
            else:
                log.info("step %d/%d: validation %s", step, self.total, text)

    def close(self) -> None:
        """Leave the terminal clean."""
        if self.bar is not None:
            self.bar.close()
            self.bar = None


def duration(seconds: float) -> str:
    """12 s, 3 min 20 s, 2 h 05 min."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
