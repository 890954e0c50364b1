"""`Trainer` driven by an old configuration object."""

import logging
import time
from typing import Any

import torch

from rca_dist.compat.adapter import HFModelAdapter
from rca_dist.compat.config import CfgNode, checked, need_betas, need_float, need_int
from rca_dist.compat.fit import check_pair, is_old
from rca_dist.compat.networks import mark_trained, trained_on
from rca_dist.compat.place import join
from rca_dist.errors import UserError
from rca_dist.tokens.batching import Step
from rca_dist.tokens.encode import RCADataset
from rca_dist.training import trainer

log = logging.getLogger(__name__)

OWNER = "Trainer"
# Never more positions at once than the real trainer's default.
MOST_TOKENS = 4096


class Trainer(trainer.Trainer):
    """The training loop.

    Old form: `Trainer(config, model, train_dataset)` and `run()`, see `ConfiguredTrainer`. New form:
    `Trainer(model, step, data, ...)` and `fit()`, see `rca_dist.training.trainer.Trainer`.
    """

    def __new__(cls, *args: Any, **kwargs: Any) -> "Trainer":
        return object.__new__(ConfiguredTrainer if cls is Trainer and is_old(args, kwargs) else cls)

    @staticmethod
    def get_default_config() -> CfgNode:
        """The old settings; `max_iters` must be set."""
        return CfgNode(
            device="auto", num_workers=4, max_iters=None, batch_size=64, learning_rate=5e-6, betas=(0.9, 0.95),
            weight_decay=0.1, grad_norm_clip=1.0,
        )  # fmt: skip


class ConfiguredTrainer(Trainer):
    """Trains an `HFModelAdapter` on an `RCADataset` for `config.max_iters` steps of `config.batch_size` tickets.

    Unlike the predecessor's: each ticket once per epoch in an order drawn from the seed (that of `set_seed`), not drawn with
    replacement; a step is the gradient of the token mean over all of its tickets, over all processes; no weight decay on
    norms; weights are fp32 and a GPU computes in bf16 where the model was loaded so; `num_workers` has no effect, for tickets
    are encoded beforehand; `batch_size` does not decide memory.

    Attributes for callbacks of `on_batch_end`, once per step after the update: `iter_num` (from 0), `iter_dt` (seconds of the
    iteration before, 0.0 in the first), `loss` (float64 scalar tensor, nats per supervised token of the step, over all
    processes), `config`, `model`, `optimizer`, `device`, `train_dataset`, and those of the new form.
    """

    def __init__(self, config: CfgNode, model: HFModelAdapter, train_dataset: RCADataset) -> None:
        """Raises: UserError, saying what to write instead."""
        checked(config, Trainer.get_default_config(), OWNER)
        self.config = config
        self.adapter = model
        self.train_dataset = train_dataset
        check_pair(model, train_dataset, OWNER, "train_dataset")
        self._refuse_second_training()
        self._build()
        self.device = self.distributed.device.type
        self.iter_num = 0
        self.iter_time = 0.0
        self.iter_dt = 0.0
        self.loss: torch.Tensor | None = None
        if self.distributed.is_main:
            print("running on device", self.device)

    def _build(self) -> None:
        values = checked(self.config, Trainer.get_default_config(), OWNER)
        steps = None if values["max_iters"] is None else need_int(values, "max_iters", 1, OWNER)
        size = need_int(values, "batch_size", 1, OWNER)
        rate = need_float(values, "learning_rate", 0.0, OWNER, above=True)
        clip = need_float(values, "grad_norm_clip", 0.0, OWNER, above=True, hint="; for no clipping write float('inf')")
        decay, betas = need_float(values, "weight_decay", 0.0, OWNER), need_betas(values["betas"], OWNER)
        dist = join(values["device"], self.adapter.loaded_dtype, OWNER)
        self.adapter.hold_in_fp32()
        # set_seed puts its seed there; torch has a fixed one where nobody did.
        seed = torch.initial_seed()
        dist.same_everywhere(float(seed), "the seed (write set_seed(3407) first)")
        block = getattr(self.train_dataset, "block_size", MOST_TOKENS)
        super().__init__(
            self.adapter.model, self.adapter.step, self.train_dataset,
            distributed=dist, max_steps=steps or 0, global_batch_size=size,
            max_tokens_per_micro_batch=min(MOST_TOKENS, size * block), learning_rate=rate, lr_scheduler="constant",
            warmup_steps=0, weight_decay=decay, betas=betas, max_grad_norm=clip, seed=seed,
            optimizer_groups=self.adapter.optimizer_groups, progress=False,
        )  # fmt: skip
        self.built = self._settings()
        # Callbacks read the adapter here, as they did; the loop itself asks it for train() and eval() only.
        self.model = self.adapter  # type: ignore[assignment]

    def _settings(self) -> Any:
        return self.config.to_dict(), id(self.adapter.model), len(self.train_dataset)

    def _refuse_second_training(self) -> None:
        if trained_on(self.adapter.model) is not None:
            name = self.adapter.model_type
            raise UserError(
                f"{OWNER}: this model has been trained before, so its next score would be that of both trainings together "
                "(tickets of another fold's test side among them); load fresh weights first: "
                f"model = HFModelAdapter(AutoModelForCausalLM.from_pretrained({name!r}), {name!r})"
            )

    def run(self) -> None:
        """Train for `config.max_iters` steps. Collective.

        Raises: UserError without max_iters, or when the model has been trained before.
        """
        self._refuse_second_training()
        if self.config.to_dict().get("max_iters") is None:
            raise UserError(f"{OWNER}: without config.max_iters training would never end; set it, e.g. config.max_iters = 200")
        if self.built != self._settings():
            callbacks = self.callbacks
            self._build()
            self.callbacks = callbacks
        self.iter_num = 0
        self.iter_time = time.time()
        self.fit()

    def trigger_callbacks(self, event: str) -> None:
        """Call the callbacks of an event."""
        super().fire(event)

    def fire(self, event: str) -> None:
        """The loop's events; `on_batch_end` is the end of a whole step here, however many micro-batches it took."""
        if event == "on_batch_end":
            return
        super().fire(event)
        if event == "on_step_end":
            self.iter_num = self.step - 1
            super().fire("on_batch_end")
            self.iter_num = self.step
            now = time.time()
            self.iter_dt, self.iter_time = now - self.iter_time, now

    def train_step(self, step: Step) -> tuple[torch.Tensor, torch.Tensor]:
        """One optimizer update, see the new form; sets `loss`."""
        mark_trained(self.adapter.model, self.train_dataset)
        loss_sum, norm = super().train_step(step)
        (total,) = self.distributed.global_sum([float(loss_sum)])
        self.loss = torch.tensor(total / max(1, step.supervised), dtype=torch.float64)
        return loss_sum, norm
