"""How results reach the ledger of the book (`helpers/book/ledger.py`): packed, with what is needed to repeat each."""

import base64
import hashlib
import json
import os
import platform
import subprocess
import zlib
from collections.abc import Sequence
from datetime import date
from functools import cache
from importlib import metadata
from pathlib import Path

import numpy as np
import torch

from helpers import Run
from helpers.book.ledger import HIGHEST, SCORE_STEPS, ZERO_MARGIN
from helpers.errors import InputError
from helpers.tasks.extraction.spans import Span

CODE = ("helpers/*.py", "helpers/*.toml", "experiments/*.py", "requirements.lock")  # what results are made by


def record(folder: Path, experiment: str, **result) -> None:
    """Append one result, with `provenance`, to `<folder>/<experiment>.jsonl`.

    A boolean array `correct` (one value a test row), or an array `counts` (N, K) of numbers from 0 to 65535, is
    packed, so that results can be compared in pairs later.
    """
    if "correct" in result:
        result["correct"] = np.packbits(result["correct"]).tobytes().hex()
    if "counts" in result:
        result["counts"] = _packed(np.asarray(result["counts"]))
    line = json.dumps(result | provenance(folder), ensure_ascii=False, sort_keys=True)
    with (folder / f"{experiment}.jsonl").open("a", encoding="utf-8", newline="\n") as stream:
        stream.write(line + "\n")


def cost(run: Run) -> dict:
    """What a training run took, and how it was made."""
    speed = {"rows_per_second": float(run.rows_per_second), "tokens_per_second": float(run.tokens_per_second)}
    memory = {"peak_memory_gb": run.peak_memory_gb, "precision": run.precision}
    return {"seconds": run.seconds} | speed | memory | {"recipe": run.recipe.to_dict()}


def probability_counts(probabilities: np.ndarray) -> np.ndarray:
    """Probabilities (N,) as counts (N, 1) that `Results.probabilities` reads."""
    return np.round(probabilities[:, None] * HIGHEST)


def score_counts(scores: np.ndarray) -> np.ndarray:
    """Scores from 0 to 1, shape (N,), as counts (N, 1) in ten-thousandths."""
    return np.rint(scores[:, None] * SCORE_STEPS)


def span_counts(spans: Sequence[Span]) -> np.ndarray:
    """N spans with their margins as counts (N, 3) that `Results.spans` reads."""
    margins = np.round([100 * span.margin for span in spans]) + ZERO_MARGIN
    ends = np.array([(span.start, span.end) for span in spans])
    return np.column_stack([ends, np.clip(margins, 0, HIGHEST)])


@cache
def provenance(folder: Path) -> dict:
    """Commit, lock hash, versions, hardware and day of results made in the repository that holds `folder`.

    They are looked up once: a process runs the code that stood there when it started, whatever is edited meanwhile.
    """
    root = Path(_git(folder, "rev-parse", "--show-toplevel"))
    changed = _git(root, "status", "--porcelain", "--untracked-files=no", "--", *CODE)
    lock = hashlib.sha256((root / "requirements.lock").read_bytes()).hexdigest()[:12]
    versions = {name: metadata.version(name) for name in ("torch", "transformers", "scikit-learn")}
    return {
        "commit": _git(root, "rev-parse", "--short=12", "HEAD") + ("+changes" if changed else ""),
        "lock": lock,
        "versions": versions,
        "hardware": hardware(),
        "day": date.today().isoformat(),
    }


def hardware() -> str:
    """The GPU's name, or the processor's with the number of threads that torch uses."""
    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    name = _capabilities().get("cpu_name") or platform.processor() or platform.machine()
    return f"{name}, {torch.get_num_threads()} of {os.cpu_count()} cores"


def _capabilities() -> dict:
    """What torch reports about the processor; older versions report nothing."""
    return getattr(torch.cpu, "get_capabilities", dict)()


def _packed(counts: np.ndarray) -> str:
    if counts.min(initial=0) < 0 or counts.max(initial=0) > HIGHEST:
        raise InputError(f"counts reach from {counts.min()} to {counts.max()}; the ledger keeps 0 to {HIGHEST}")
    if not np.array_equal(counts, np.floor(counts)):
        raise InputError("counts are no whole numbers, and the ledger keeps no fractions; record them as such")
    return base64.b85encode(zlib.compress(counts.astype("<u2").tobytes(), 9)).decode("ascii")


def _git(folder: Path, *words: str) -> str:
    done = subprocess.run(["git", "-C", str(folder), *words], capture_output=True, text=True, check=True)
    return done.stdout.strip()
