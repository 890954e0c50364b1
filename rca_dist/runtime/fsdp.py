"""FSDP2 as an engine: `fully_shard` called by us, one group per transformer block."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from rca_dist.runtime.capture import Captured
from rca_dist.runtime.engines import Engine


class ShardedEngine(Engine):
    """FSDP2: parameters, gradients and optimizer state sharded over all ranks."""

    # A group of its own for the messages of saving, made by the first save.
    _side: torch.distributed.ProcessGroup | None = None

    def _set_up(self) -> None:
        from torch.distributed.tensor import DTensor

        self.factor = float(self.dist.world_size)  # reduce-scatter averages over ranks
        old = list(self.model.named_parameters())
        # Where they lie now: sharding moves each parameter to the device, whole, before it is cut.
        whole = {name: p.detach() for name, p in old} if self.dist.is_main else {}
        self._shard()
        self._spread(whole)
        if self.optimizer is not None:
            assert not self.optimizer.state, "the optimizer has stepped before its parameters were sharded"
            name_of = {p: name for name, p in old}
            new = dict(self.model.named_parameters())
            for group in self.optimizer.param_groups:
                group["params"] = [new[name_of[p]] for p in group["params"]]
        sharded = [p for p in self.model.parameters() if isinstance(p, DTensor)]
        if not sharded or any(p.device_mesh.size() != self.dist.world_size for p in sharded):
            raise RuntimeError("FSDP2 was asked for, but the parameters are not sharded over all ranks")

    def _spread(self, whole: dict[str, torch.Tensor]) -> None:
        """Give all ranks their parts of rank 0's `whole` weights, one after the other; buffers too."""
        if self.dist.world_size > 1:
            for name, parameter in self.model.named_parameters():
                self._put(parameter, whole.pop(name, None))
        for buffer in self.model.buffers():
            buffer.data = buffer.data.to(self.dist.device)
        self._send(self.model.buffers())

    def _shard(self) -> None:
        from torch.distributed.fsdp import FSDPModule, MixedPrecisionPolicy, fully_shard, register_fsdp_forward_method

        plugin, model = self.dist.accelerator.state.fsdp_plugin, self.model
        options: dict[str, Any] = {}
        if self.dist.device.type != "cpu" and self.dist.precision != "fp32":
            # Gathered in low precision, reduced in fp32. On a CPU weights stay fp32, as evaluation does.
            options["mp_policy"] = MixedPrecisionPolicy(param_dtype=self.dist.low_dtype, reduce_dtype=torch.float32)
        layers = set(plugin.transformer_cls_names_to_wrap or getattr(model, "_no_split_modules", None) or [])
        wrapped = [module for module in model.modules() if type(module).__name__ in layers]
        head, embeddings = (getattr(model, name, lambda: None)() for name in ("get_output_embeddings", "get_input_embeddings"))
        if head is not None and embeddings is not None and head.weight is not embeddings.weight:
            wrapped += [embeddings, head]
        for module in wrapped:
            if not isinstance(module, FSDPModule):
                with _emptied(module):
                    fully_shard(module, reshard_after_forward=plugin.reshard_after_forward, **options)
        with _emptied(model):
            fully_shard(model, **options)
        if hasattr(model, "get_base_model"):
            # A PeftModel's generate goes past its own forward, whose hook gathers the root's weights.
            register_fsdp_forward_method(model, "generate")

    def _reduce(self) -> None:
        # FSDP2 has reduced in the backward pass already, after each micro-batch: gradients stay sharded in between.
        self._fill()

    def settle(self) -> None:
        from torch.distributed.fsdp import FSDPModule

        # The root keeps its weights after a forward pass, for the backward pass that evaluation does not have.
        for module in self.model.modules():
            if isinstance(module, FSDPModule):
                module.reshard()

    @contextlib.contextmanager
    def gathered(self, parameter: torch.nn.Parameter) -> Iterator[torch.Tensor]:
        tensor = parameter.detach()
        yield tensor.full_tensor() if hasattr(tensor, "full_tensor") else tensor

    def _local(self, parameter: torch.Tensor) -> torch.Tensor:
        tensor = parameter.detach()
        return tensor.to_local() if hasattr(tensor, "to_local") else tensor

    def _is_whole(self, parameter: torch.nn.Parameter) -> bool:
        from torch.distributed.tensor import DTensor

        return not isinstance(parameter, DTensor)

    def _put(self, parameter: torch.nn.Parameter, whole: torch.Tensor | None) -> None:
        from torch.distributed.tensor import DTensor, distribute_tensor

        if not isinstance(parameter, DTensor):
            super()._put(parameter, whole)
            return
        full = whole if whole is not None else torch.empty(parameter.shape, dtype=parameter.dtype)
        full = full.to(self.dist.device, parameter.dtype)
        torch.distributed.broadcast(full, src=0)
        part = distribute_tensor(full, parameter.device_mesh, parameter.placements, src_data_rank=None)
        self._local(parameter).copy_(part.to_local())

    def capture(self) -> Captured:
        if self._side is None:
            # The writing's messages must not get between those of the training, and need no GPU.
            self._side = torch.distributed.new_group(backend="gloo")
        group, rank = self._side, self.dist.rank

        def write(state: dict[str, Any], folder: Path) -> list[str]:
            import torch.distributed.checkpoint as dcp

            try:
                dcp.save(state, checkpoint_id=folder / "shards", process_group=group)
            except dcp.api.CheckpointException as error:
                # It is raised on all ranks and is no Exception by its class, so nobody would catch it.
                failed, (cause, _) = min(error.failures.items(), key=lambda item: item[0])
                raise RuntimeError(f"rank {failed}: {cause}") from cause
            mine = [f"shards/{path.name}" for path in (folder / "shards").glob(f"__{rank}_*.distcp")]
            return [*mine, *(["shards/.metadata"] if rank == 0 else [])]

        return Captured(self._shards(), write)

    def load(self, folder: Path, *, written_by: int | None = None) -> None:
        import torch.distributed.checkpoint as dcp
        from torch.distributed.checkpoint.state_dict import StateDictOptions, set_state_dict

        assert self.optimizer is not None
        state = self._shards()
        dcp.load(state, checkpoint_id=folder / "shards")
        options = StateDictOptions(strict=False)
        set_state_dict(self.model, self.optimizer, model_state_dict=state["model"], optim_state_dict=state["optimizer"],
                       options=options)  # fmt: skip

    def _shards(self) -> dict[str, Any]:
        from torch.distributed.checkpoint.state_dict import StateDictOptions, get_state_dict

        assert self.optimizer is not None
        self.settle()
        options = StateDictOptions(ignore_frozen_params=self.has_frozen())
        model, optimizer = get_state_dict(self.model, self.optimizer, options=options)
        return {"model": model, "optimizer": optimizer}


@contextlib.contextmanager
def _emptied(module: torch.nn.Module) -> Iterator[None]:
    """Around the sharding of a module: its old whole parameters, which the optimizer still holds, give their memory back."""
    old = list(module.parameters())
    yield
    kept = {id(p) for p in module.parameters()}
    for parameter in old:
        if id(parameter) not in kept:
            parameter.data = parameter.data.new_empty(0)
