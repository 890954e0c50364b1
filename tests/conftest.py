"""Shared fixtures: everything is made here, nothing is downloaded."""

import os

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ["WANDB_MODE"] = "offline"
os.environ.pop("WANDB_API_KEY", None)
# Tests note no places in the list of the user's own runs.
os.environ["RCA_PLACES"] = ""
# Tiny models gain nothing from threads, and threads that spin for each other crawl on a busy machine.
os.environ.setdefault("OMP_NUM_THREADS", "1")
for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK", "RCA_EXIT_FILE", "ACCELERATE_MIXED_PRECISION"):
    os.environ.pop(name, None)

from pathlib import Path  # noqa: E402

import pytest  # noqa: E402

ROOT = Path(__file__).resolve().parents[1]
SHARED = Path(os.environ.get("RCA_SHARED_DATA", ROOT.parent / "shared" / "data"))


@pytest.fixture(scope="session")
def shared_data():
    """Folder of real ticket files that are not part of the project."""
    if not SHARED.is_dir():
        pytest.skip("the real ticket files are not on this machine (RCA_SHARED_DATA)")
    return SHARED


@pytest.fixture(scope="session")
def table(tmp_path_factory):
    """A prepared table of about 150 generated tickets."""
    from rca_dist import tickets
    from rca_dist.tickets.synthetic import generate, write_csv

    path = tmp_path_factory.mktemp("tickets") / "generated.csv"
    write_csv(path, generate(160, seed=3))
    return tickets.prepare(str(path))


@pytest.fixture(scope="session")
def distributed():
    """The one process of the test session."""
    from rca_dist.runtime.distributed import Distributed

    return Distributed(precision="fp32")


TEMPLATE = "Ticket:\n{ticket}\n\nResolution:\n"


@pytest.fixture
def adapter(table):
    """builtin:tiny with a tokenizer trained on the table."""
    from rca_dist.model.adapter import HFModelAdapter

    train = table.rows("train")
    return HFModelAdapter.load("builtin:tiny", texts=[*train["prompt"], *train["answer"]])


@pytest.fixture
def encode(table, adapter):
    """encode(split, **changes) -> RCADataset of the table."""
    from rca_dist.tokens.encode import RCADataset

    def make(split="train", **changes):
        rows = table.rows(split)
        options = {"eos_id": adapter.eos_id, "pad_id": adapter.pad_id, "template": TEMPLATE, "max_length": 512} | changes
        columns = (rows["id"].tolist(), rows["prompt"].tolist(), rows["answer"].tolist())
        return RCADataset.from_tickets(*columns, adapter.tokenizer, **options)

    return make
