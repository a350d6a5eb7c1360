"""Silence, while models are loaded and written."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from huggingface_hub.utils import logging as hub_logging
from transformers.utils import logging as transformers_logging

from helpers.progress import hide_progress


@contextmanager
def quiet(*, slow: bool) -> Iterator[None]:
    """While this lasts, transformers reports no new layers, and shows progress bars in a terminal alone, if `slow`."""
    levels = [(library, library.get_verbosity()) for library in (transformers_logging, hub_logging)]
    bars_enabled = transformers_logging.is_progress_bar_enabled()
    for library, _ in levels:
        library.set_verbosity(logging.CRITICAL)
    if not slow or hide_progress():
        transformers_logging.disable_progress_bar()
    try:
        yield
    finally:
        for library, level in levels:
            library.set_verbosity(level)
        if bars_enabled:
            transformers_logging.enable_progress_bar()
