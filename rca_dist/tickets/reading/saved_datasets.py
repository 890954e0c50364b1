"""A folder that `datasets.save_to_disk` wrote, to the Arrow files in it; needs no `datasets`."""

import json
from pathlib import Path

from rca_dist.errors import UserError


def saved_files(folder: Path) -> list[tuple[str, Path, str]]:
    """(name, Arrow file, split) of a saved data set, the split '' for one without; nothing for any other folder.

    Raises UserError when a file of it is missing.
    """
    splits = _json_file(folder / "dataset_dict.json").get("splits")
    if isinstance(splits, list):
        return [
            (f"{folder.name}/{split}/{name.rsplit('/', 1)[-1]}", path, str(split))
            for split in splits
            for name, path, _ in saved_files(folder / str(split))
        ]
    files = _json_file(folder / "state.json").get("_data_files")
    if not isinstance(files, list):
        return []
    found = [folder / str(item.get("filename")) for item in files if isinstance(item, dict)]
    for file in found:
        if not file.is_file():
            raise UserError(f"{folder}: the saved data set lacks its file {file.name!r}; save it again.")
    return [(f"{folder.name}/{file.name}", file, "") for file in found]


def _json_file(path: Path) -> dict[str, object]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}
