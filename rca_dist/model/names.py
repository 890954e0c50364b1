"""What can be said about a model's name without torch, without loading and without the network."""

import os
from pathlib import Path

from rca_dist.errors import UserError


def check(name: str) -> None:
    """Refuse a path that is no model folder.

    A name such as `org/model` may be a hub name and passes unless it can only be a path.
    Raises: UserError.
    """
    if name.startswith("builtin:"):
        return
    path = Path(name).expanduser()
    if path.is_dir():
        if not (path / "config.json").is_file():
            raise UserError(
                f"model.name_or_path={name}: this folder has no config.json, so it is no saved model; "
                "a run directory keeps its model in the folder model/ inside it"
            )
        return
    looks_like_path = name.startswith(("/", "./", "../", "~")) or name.count("/") > 1 or (os.sep == "\\" and "\\" in name)
    if path.is_file() or looks_like_path:
        kind = "a file, not a model folder" if path.is_file() else "no such folder"
        raise UserError(
            f"model.name_or_path={name}: {kind}; give a folder written by save_pretrained, a hub name such as "
            "org/model, or builtin:tiny"
        )
