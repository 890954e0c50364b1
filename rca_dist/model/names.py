"""What can be said about a model's name without torch and without loading it."""

import logging
import os
import re
import socket
from pathlib import Path
from urllib.parse import urlparse

from rca_dist.errors import UserError

OFFLINE_HELP = (
    "Check the name. On a machine without internet, download it elsewhere (`hf download NAME --local-dir FOLDER`), "
    "copy the folder here and give its path; or use builtin:tiny"
)


def check(name: str) -> None:
    """Refuse a path that is no model folder.

    A name such as `org/model` may be a hub name and passes unless it can only be a path.
    Raises: UserError.
    """
    if name.startswith("builtin:"):
        return
    path = Path(name).expanduser()
    if path.is_dir():
        if (path / "adapter_config.json").is_file() and not (path / "config.json").is_file():
            raise UserError(
                f"model.name_or_path={name}: this is a LoRA adapter, and a run starts from a whole model; merge it first, in "
                f"Python: AutoPeftModelForCausalLM.from_pretrained({name!r}).merge_and_unload().save_pretrained(FOLDER), and "
                "save its tokenizer there too"
            )
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
    import difflib

    beside = [entry.name for entry in Path().iterdir() if (entry / "config.json").is_file()] if "/" not in name else []
    if close := difflib.get_close_matches(name, beside, n=1, cutoff=0.8):
        raise UserError(f"model.name_or_path={name}: no folder of that name; did you mean {close[0]}?")
    if not re.fullmatch(r"[A-Za-z0-9][\w.-]*(/[\w.-]+)?", name):
        raise UserError(f"model.name_or_path={name}: no folder of that name, and hub names look like org/model")
    _check_hub(name)


def _check_hub(name: str) -> None:
    """Refuse a hub name that is neither in the local cache nor can be asked for, in seconds instead of a minute of retries."""
    from huggingface_hub import constants, try_to_load_from_cache

    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)
    if isinstance(try_to_load_from_cache(name, "config.json"), str):
        return
    if constants.HF_HUB_OFFLINE:
        raise UserError(f"model.name_or_path={name}: not in the local cache, and HF_HUB_OFFLINE is set. {OFFLINE_HELP}.")
    if any(os.environ.get(key) for key in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy")):
        return  # only the proxy knows
    address = urlparse(constants.ENDPOINT)
    port = address.port or (80 if address.scheme == "http" else 443)
    try:
        socket.create_connection((address.hostname or "", port), timeout=5).close()
    except OSError as error:
        raise UserError(
            f"model.name_or_path={name}: not in the local cache, and {address.hostname} is out of reach ({error}). "
            f"{OFFLINE_HELP}."
        ) from None
