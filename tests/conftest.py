"""What every test starts from."""

import os

import pytest

# No test may depend on what the Hub answers today; set before a library reads it.
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as in helpers/__init__.py
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")


@pytest.fixture(scope="session")
def body(tmp_path_factory) -> str:
    """A folder with a tiny encoder and its tokenizer, as a reader's own pretrained model would be."""
    import tiny  # the libraries that it needs are read after the variables above are set

    folder = tmp_path_factory.mktemp("body")
    tiny.model().save_pretrained(folder)
    tiny.tokenizer().save_pretrained(folder)
    return str(folder)
