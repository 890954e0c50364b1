"""A saved model folder, tickets in the old columns and a fresh model."""

import pandas as pd
import pytest
from compat_cases import TICKETS, fresh, make_tokenizer, save_model


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A saved tiny Llama and its tokenizer, in place of a name on the hub."""
    return save_model(tmp_path_factory.mktemp("models") / "llama", make_tokenizer([t for pair in TICKETS for t in pair]))


@pytest.fixture(scope="module")
def df():
    frame = pd.DataFrame(TICKETS, columns=["ticket_description", "ticket_resolution"])
    return frame.assign(request_id=[f"R{n}" for n in range(len(frame))])


@pytest.fixture
def model(folder):
    return fresh(folder)
