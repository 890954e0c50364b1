"""rca_dist: from an IT-ticket export to a fine-tuned language model that drafts resolutions.

Public names load on first use, so that `import rca_dist` stays instant and free of torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from rca_dist.compat.adapter import HFModelAdapter as HFModelAdapter
    from rca_dist.compat.config import CfgNode as CfgNode
    from rca_dist.compat.config import setup_logging as setup_logging
    from rca_dist.compat.dataset import RCADataset as RCADataset
    from rca_dist.compat.evaluator import Evaluator as Evaluator
    from rca_dist.compat.trainer import Trainer as Trainer
    from rca_dist.runtime.distributed import set_seed as set_seed

_HOMES = {
    "Trainer": "rca_dist.compat.trainer",
    "Evaluator": "rca_dist.compat.evaluator",
    "HFModelAdapter": "rca_dist.compat.adapter",
    "RCADataset": "rca_dist.compat.dataset",
    "CfgNode": "rca_dist.compat.config",
    "setup_logging": "rca_dist.compat.config",
    "set_seed": "rca_dist.runtime.distributed",
}
__all__ = sorted([*_HOMES, "__version__"])


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'rca_dist' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return __all__
