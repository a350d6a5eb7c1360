"""What every test starts from."""

import os

# No test may depend on what the Hub answers today; set before a library reads it.
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
