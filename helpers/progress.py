"""One live line of progress: rows per second, time left, loss and tokens per second."""

import os
import sys
import time
from collections.abc import Callable

from tqdm import tqdm

FOLLOWED = ("step", "loss", "learning_rate", "gradient_norm", "tokens")  # numbers of a step that curves are drawn of
ASKED_AFTER, LONG = 20.0, 600.0  # seconds of training before its length is judged; more than this is told


def watched() -> bool:
    """Whether progress is displayed: a terminal or a live notebook, and HELPERS_PROGRESS is not 0."""
    live = sys.stderr.isatty() or "ipykernel" in sys.modules
    return live and os.environ.get("HELPERS_PROGRESS") != "0"


def is_main_process() -> bool:
    """Whether this process is the only one, or the first of those that torchrun started."""
    return os.environ.get("RANK", "0") == "0"


def hide_progress() -> bool:
    """Whether bars of downloads are hidden: standard error is no terminal, or `HELPERS_PROGRESS` is 0."""
    return os.environ.get("HELPERS_PROGRESS") == "0" or not sys.stderr.isatty()


def pace(speed: float) -> str:
    """A speed in whole rows a second, and where it is below one in rows a minute."""
    return f"{speed:.0f} rows/s" if speed >= 1 else f"{speed * 60:.0f} rows/min"


class Progress:
    """A tqdm bar over the rows of a training run, and one sentence on a long run, also where no bar is shown.

    `told`, if given, is called with a line for each evaluation, so that a log has the scores of every epoch; `followed`
    with the numbers of each step, and with the scores of each evaluation.
    """

    def __init__(
        self,
        rows: int,
        done: int,
        *,
        shown: bool,
        told: Callable[[str], None] | None = None,
        followed: Callable[[dict], None] | None = None,
    ):
        self.enabled = shown and watched()
        self.announced = not shown
        self.rows, self.done, self.scores, self.losses = rows, done, {}, []
        self.told, self.followed = (told, followed) if shown else (None, None)

    def __enter__(self) -> "Progress":
        self.bar = tqdm(total=self.rows, initial=self.done, unit="row", disable=not self.enabled, leave=False)
        self.tokens, self.seen, self.began = 0, 0, time.monotonic()
        return self

    def __exit__(self, *_) -> None:
        self.bar.close()

    def update(self, entry: dict) -> None:
        """Advance by one step's row of the history."""
        self.tokens += entry["tokens"]
        self.entry = entry
        self.losses.append(entry["loss"])
        self.seen += entry["rows"]
        self._announce()
        if self.followed:
            self.followed({name: entry[name] for name in FOLLOWED})
        elapsed = self.bar.format_dict["elapsed"] if self.enabled else 0
        speed = {"tokens/s": f"{self.tokens / elapsed:.0f}"} if elapsed else {}
        self.bar.set_postfix({"epoch": entry["epoch"], "loss": f"{entry['loss']:.3f}", **speed, **self.scores})
        self.bar.update(entry["rows"])

    def _announce(self) -> None:
        """Say once, when the speed is known, that a run takes more than ten minutes, and what makes it shorter."""
        elapsed = time.monotonic() - self.began
        if self.announced or elapsed < ASKED_AFTER:
            return
        self.announced, speed = True, self.seen / elapsed
        left = (self.rows - self.done - self.seen) / speed
        if left > LONG:
            tqdm.write(
                f"about {left / 60:.0f} minutes are left at {pace(speed)}; fewer rows (--rows) or passes "
                "(--epochs) take less",
                file=sys.stderr,
            )

    def note(self, scores: dict[str, float]) -> None:
        """Show the newest validation scores from now on, and tell them with the mean loss since those before."""
        self.scores = {name: f"{value:.3f}" for name, value in scores.items()}
        if self.followed:
            named = {f"validation_{name}": value for name, value in scores.items()}
            self.followed({"step": self.entry["step"]} | named)
        loss, self.losses = sum(self.losses) / len(self.losses), []
        if self.told:
            shown = ", ".join(f"{name} {value}" for name, value in self.scores.items())
            self.bar.clear()
            self.told(f"epoch {self.entry['epoch']}, step {self.entry['step']}: loss {loss:.3f}; validation {shown}")
            self.bar.refresh()
