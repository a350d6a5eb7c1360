"""How results reach the ledger of the book (`helpers/book/ledger.py`): packed, with what is needed to repeat each."""

import base64
import hashlib
import json
import os
import platform
import subprocess
import time
import zlib
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from functools import cache
from importlib import metadata
from pathlib import Path

import numpy as np
import psutil
import torch

from helpers import Run
from helpers.book.ledger import HIGHEST, SCORE_STEPS, ZERO_MARGIN
from helpers.errors import InputError
from helpers.tasks.extraction.spans import Span

CODE = ("helpers/*.py", "helpers/*.toml", "experiments/*.py", "requirements.lock")  # what results are made by
QUIET = 0.05  # share of the processor that others may use where a time is to be kept


class Watch:
    """How much of the processor others use while a block runs: a time that was taken beside others says nothing.

        with Watch() as watch:
            run = fit(...)
        result |= cost(run, watch)

    It may watch several blocks, of which the busiest counts.

    Attributes:
        others: share of all cores that other processes used, from 0 to 1.
    """

    others = 0.0

    def __enter__(self) -> "Watch":
        self._began = _used()
        return self

    def __exit__(self, *_) -> None:
        seconds, own, every = np.subtract(_used(), self._began)
        share = (every - own) / (seconds * psutil.cpu_count())
        self.others = max(self.others, float(np.clip(share, 0, 1)))

    def times(self, **seconds: float) -> dict:
        """What was taken in the blocks, if others left the machine alone, and else only how much they used."""
        return {"others_used": round(self.others, 4)} | (seconds if self.others < QUIET else {})


def record(folder: Path, experiment: str, **result) -> None:
    """Append one result, `packed` and with `provenance`, to `<folder>/<experiment>.jsonl`."""
    line = json.dumps(packed(result) | provenance(folder), ensure_ascii=False, sort_keys=True)
    with (folder / f"{experiment}.jsonl").open("a", encoding="utf-8", newline="\n") as stream:
        stream.write(line + "\n")


def packed(result: dict) -> dict:
    """A result as the ledger keeps it, with what it holds of each test row in a short form.

    These are `correct`, booleans (N,); `counts`, numbers from 0 to 65535, (N, K); and `texts`, N texts.
    """
    forms = {"correct": lambda right: np.packbits(right).tobytes().hex(), "counts": _packed_counts, "texts": _packed}
    return result | {name: form(result[name]) for name, form in forms.items() if name in result}


def cost(run: Run, watch: Watch | None = None) -> dict:
    """How a run was trained, and what it took; times only if a `watch` saw it have the machine to itself."""
    speed = {"rows_per_second": float(run.rows_per_second), "tokens_per_second": float(run.tokens_per_second)}
    made = {"peak_memory_gb": run.peak_memory_gb, "precision": run.precision, "recipe": run.recipe.to_dict()}
    return made | (watch.times(seconds=run.seconds, **speed) if watch else {})


def cpu_seconds() -> float:
    """What this process and those that it waited for have used of the processor."""
    return _used()[1]


def probability_counts(probabilities: np.ndarray) -> np.ndarray:
    """Probabilities (N,) or (N, C) as counts (N, 1) or (N, C) that `Results.probabilities` reads."""
    return np.round(probabilities.reshape(len(probabilities), -1) * HIGHEST)


def score_counts(scores: np.ndarray) -> np.ndarray:
    """Scores from 0 to 1, shape (N,), as counts (N, 1) in ten-thousandths."""
    return np.rint(scores[:, None] * SCORE_STEPS)


def span_counts(spans: Sequence[Span]) -> np.ndarray:
    """N spans with their margins as counts (N, 3) that `Results.spans` reads."""
    margins = np.round([100 * span.margin for span in spans]) + ZERO_MARGIN
    ends = np.array([(span.start, span.end) for span in spans])
    return np.column_stack([ends, np.clip(margins, 0, HIGHEST)])


def as_kept(spans: Sequence[Span]) -> list[Span]:
    """Spans with their margins as `span_counts` keeps them, so that a score of them can be derived again."""
    margins = span_counts(spans)[:, 2] - ZERO_MARGIN
    return [replace(span, margin=margin / 100) for span, margin in zip(spans, margins.tolist(), strict=True)]


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


def _used() -> tuple[float, float, float]:
    """Seconds by the clock, and seconds of the processor that this process and that all have used."""
    own, every = psutil.Process().cpu_times(), psutil.cpu_times()
    idle = every.idle + getattr(every, "iowait", 0.0)
    guests = getattr(every, "guest", 0.0) + getattr(every, "guest_nice", 0.0)  # are in `user` and `nice` as well
    mine = own.user + own.system + own.children_user + own.children_system
    return time.perf_counter(), mine, sum(every) - idle - guests


def _packed_counts(counts: np.ndarray) -> str:
    counts = np.asarray(counts)
    if counts.min(initial=0) < 0 or counts.max(initial=0) > HIGHEST:
        raise InputError(f"counts reach from {counts.min()} to {counts.max()}; the ledger keeps 0 to {HIGHEST}")
    if not np.array_equal(counts, np.floor(counts)):
        raise InputError("counts are no whole numbers, and the ledger keeps no fractions; record them as such")
    return _in_letters(counts.astype("<u2").tobytes())


def _packed(texts: Sequence[str]) -> str:
    return _in_letters(json.dumps(list(texts), ensure_ascii=False).encode("utf-8", "surrogatepass"))


def _in_letters(data: bytes) -> str:
    return base64.b85encode(zlib.compress(data, 9)).decode("ascii")


def _git(folder: Path, *words: str) -> str:
    done = subprocess.run(["git", "-C", str(folder), *words], capture_output=True, text=True, check=True)
    return done.stdout.strip()
