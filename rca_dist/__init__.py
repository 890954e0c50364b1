"""rca_dist: from an IT-ticket export to a fine-tuned language model that drafts resolutions.

Public names load on first use, so that `import rca_dist` stays instant and free of torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from rca_dist.evaluation.evaluator import Evaluator as Evaluator
    from rca_dist.model.adapter import HFModelAdapter as HFModelAdapter
    from rca_dist.runtime.distributed import set_seed as set_seed
    from rca_dist.tokens.encode import RCADataset as RCADataset
    from rca_dist.training.trainer import Trainer as Trainer

_HOMES = {
    "Trainer": "rca_dist.training.trainer",
    "Evaluator": "rca_dist.evaluation.evaluator",
    "HFModelAdapter": "rca_dist.model.adapter",
    "RCADataset": "rca_dist.tokens.encode",
    "set_seed": "rca_dist.runtime.distributed",
}
__all__ = sorted([*_HOMES, "__version__"])


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'rca_dist' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return __all__
