"""The fp16 loss scale: doubled after many good steps, halved and the step skipped after a gradient that is not finite."""

from typing import Any

MOST_IN_A_ROW = 10


class LossScale:
    """Attributes: `value` the factor on the loss, `skipped` steps skipped so far."""

    def __init__(self, value: float = 65536.0, growth_interval: int = 2000) -> None:
        self.value = value
        self.growth_interval = growth_interval
        self.good = 0
        self.bad_in_a_row = 0
        self.skipped = 0

    def judge(self, finite: bool) -> bool:
        """Whether to take a step whose global gradient norm is `finite`; adapts the scale.

        All ranks see the same norm and so decide alike. Raises: FloatingPointError after ten skipped steps in a row.
        """
        if finite:
            self.good, self.bad_in_a_row = self.good + 1, 0
            if self.good % self.growth_interval == 0:
                self.value *= 2.0
            return True
        self.good, self.bad_in_a_row, self.skipped = 0, self.bad_in_a_row + 1, self.skipped + 1
        self.value /= 2.0
        if self.bad_in_a_row >= MOST_IN_A_ROW:
            raise FloatingPointError(
                f"the fp16 gradient was not finite in {MOST_IN_A_ROW} steps in a row; use train.precision=bf16 or fp32, or a "
                "lower train.learning_rate"
            )
        return False

    def state(self) -> dict[str, Any]:
        """Plain values for a checkpoint's manifest."""
        return vars(self).copy()

    def restore(self, state: dict[str, Any]) -> None:
        """Undo of `state`."""
        vars(self).update(state)
