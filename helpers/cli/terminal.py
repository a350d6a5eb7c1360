"""What the commands say to people: sentences on standard error, from the first of several processes alone."""

import sys

from helpers.progress import is_main_process

FILES = "CSV, TSV, JSON, JSONL or Parquet file in UTF-8, with .gz or without; for tagging also CoNLL columns"


def note(sentence: str) -> None:
    """Print a sentence."""
    if is_main_process():
        print(sentence, file=sys.stderr, flush=True)


def counts(rows: dict[str, int]) -> str:
    """Numbers of rows by name, as in "80 train, 10 test"."""
    return ", ".join(f"{value} {name}" for name, value in rows.items())
