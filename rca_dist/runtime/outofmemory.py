"""Errors that mean "no memory left", whatever library raised them."""

import gc

import torch

WORDS = ("out of memory", "alloc_failed", "defaultcpuallocator", "can't allocate memory")


def ran_out(error: BaseException) -> bool:
    """Whether this error means that the device or the machine has no memory left."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error).lower() for words in WORDS)


def give_back(device: torch.device) -> None:
    """Free what failed work has left. To be called when no exception refers to its tensors any more."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()
