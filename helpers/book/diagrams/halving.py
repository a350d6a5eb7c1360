"""Drawing of a search by successive halving: every rate at the shortest length, and which of them go on."""

from collections.abc import Mapping, Sequence

import numpy as np

from helpers.book.diagrams.canvas import Canvas, Drawing, drawing
from helpers.errors import InputError

TOP, HIGH, STEP = 50, 44, 62  # px: of the first trial, of each, and from one to the next


def halving(trials: Sequence[Mapping], score: str = "accuracy") -> Drawing:
    """The trials of a search, a rung a column; an arrow leads from each that went on, the chosen one is lit.

    Args:
        trials: as `Tuned.rows` gives them: learning_rate, epochs, steps, the score, and chosen.

    Raises InputError if there are no trials.
    """
    if not trials:
        raise InputError("a search without trials cannot be drawn; give at least one")
    words = "; ".join(
        f"rate {_rate(trial['learning_rate'])} with {_passes(trial['epochs'])}: {trial[score]:.3f}"
        + (", chosen" if trial["chosen"] else "")
        for trial in trials
    )
    return drawing(f"A search by successive halving. {words}.", lambda canvas: _rungs(canvas, trials, score))


def _rungs(canvas: Canvas, trials: Sequence[Mapping], score: str) -> None:
    """A column for each length, in it a box for each rate that ran so long."""
    lengths = sorted({trial["epochs"] for trial in trials})
    rates = list(dict.fromkeys(trial["learning_rate"] for trial in trials))
    ran = {(trial["learning_rate"], trial["epochs"]): trial for trial in trials}
    gap = 26 if canvas.upright else 70
    width = min(210.0, (canvas.width - 12 - gap * (len(lengths) - 1)) / len(lengths))
    for column, length in enumerate(lengths):
        x = 6 + column * (width + gap)
        canvas.text(x, 20, _passes(length), "strong")
        canvas.text(x, 38, f"{next(t['steps'] for t in trials if t['epochs'] == length):,} steps", "soft")
        for row, rate in enumerate(rates):
            if (trial := ran.get((rate, length))) is None:
                continue
            y, kind = TOP + STEP * row, "new" if trial["chosen"] else "body"
            canvas.box(x, y, width, HIGH, kind, f"{trial[score]:.3f}", f"rate {_rate(rate)}")
            if column + 1 < len(lengths) and (rate, lengths[column + 1]) in ran:
                canvas.wire([(x + width + 4, y + HIGH / 2), (x + width + gap - 4, y + HIGH / 2)])
    canvas.text(6, TOP + STEP * len(rates) + 10, f"{score} on validation rows; orange: chosen", "soft")


def _rate(rate: float) -> str:
    """A learning rate as it is written in the shell, such as 5e-5; all of a search are written alike."""
    return np.format_float_scientific(rate, trim="-", exp_digits=1)


def _passes(count: int) -> str:
    return f"{count} pass" if count == 1 else f"{count} passes"
