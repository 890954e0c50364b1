"""A data set of the Hugging Face hub, by name, to the Arrow files that `datasets` keeps of it."""

import os
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from rca_dist.errors import UserError

_NAME = re.compile(r"(?P<name>[\w.-]+(?:/[\w.-]+)?)(?:@(?P<revision>[\w./-]+))?(?::(?P<split>[\w.-]+))?")


def hub_files(text: str) -> list[tuple[str, Path, str]]:
    """(name, Arrow file, split) of 'owner/name[@revision][:split]'; data sets that bring code of their own never run it.

    Raises UserError when the name has another form, and when the data set cannot be had (no network, no such name).
    """
    match = _NAME.fullmatch(text.strip())
    if match is None:
        raise UserError(f"data.path=hf:{text}: write hf:owner/name, with @revision or :split behind it if needed.")
    name, revision, split = match.group("name", "revision", "split")
    loaded = _load(name, revision, split)
    parts = {split: loaded} if split else dict(loaded.items())
    files = [
        (f"{name}:{part}/{Path(item['filename']).name}", Path(item["filename"]), str(part))
        for part, dataset in parts.items()
        for item in dataset.cache_files
    ]
    if not files:
        raise UserError(f"data.path=hf:{text}: the data set holds no rows.")
    return files


@contextmanager
def _offline_if_unreachable() -> Iterator[None]:
    """Without a way to the hub, look only at what is kept on this machine: its clients would retry for half a minute."""
    import datasets
    import huggingface_hub.constants as hub

    if any(os.environ.get(name) for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy")):
        yield
        return
    before = datasets.config.HF_HUB_OFFLINE, hub.HF_HUB_OFFLINE
    try:
        socket.getaddrinfo(urlsplit(hub.ENDPOINT).hostname, 443)
    except OSError:
        datasets.config.HF_HUB_OFFLINE = hub.HF_HUB_OFFLINE = True
    try:
        yield
    finally:
        datasets.config.HF_HUB_OFFLINE, hub.HF_HUB_OFFLINE = before


def _load(name: str, revision: str | None, split: str | None):  # type: ignore[no-untyped-def]
    import datasets

    try:
        with _offline_if_unreachable():
            return datasets.load_dataset(name, revision=revision, split=split)
    except KeyboardInterrupt:
        raise
    except Exception as error:  # the hub's client has no common base for what can go wrong
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise UserError(
            f"data.path: {name!r} is no file here, and it cannot be loaded as a data set of the hub ({reason}). Check the "
            "spelling and the network, or download the data set and give its file."
        ) from None
