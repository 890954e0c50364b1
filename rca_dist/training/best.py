"""Which step had the lowest validation loss, and for how long nothing was better."""

import math
from collections.abc import Mapping
from typing import Any


class Best:
    """Attributes: `loss` and `step` of the best evaluation so far (step None before the first); `worse` evaluations since."""

    def __init__(self, patience: int | None = None) -> None:
        """`patience`: evaluations in a row without a new best after which training is over; None for never."""
        self.patience = patience
        self.loss = math.inf
        self.step: int | None = None
        self.worse = 0

    def see(self, step: int, loss: float) -> bool:
        """Take the validation loss (nats per token, over all ranks) after `step` steps. Returns whether it is the best so far.

        A loss that is not finite is never the best.
        """
        if step == self.step:
            return True
        if loss < self.loss:
            self.loss, self.step, self.worse = loss, step, 0
            return True
        self.worse += 1
        return False

    @property
    def exhausted(self) -> bool:
        """Whether patience has run out."""
        return self.patience is not None and self.worse >= self.patience

    def state(self) -> dict[str, Any]:
        """Plain values for a checkpoint's manifest."""
        return {"loss": self.loss if self.step is not None else None, "step": self.step, "worse": self.worse}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Undo of `state`."""
        self.loss = math.inf if state["loss"] is None else float(state["loss"])
        self.step, self.worse = state["step"], int(state["worse"])
