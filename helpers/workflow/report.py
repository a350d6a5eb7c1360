"""The error analysis of a scored model as files: predictions, confusion, the hardest rows, and one page with pictures.

The page is whole in itself: it asks nobody for anything, and shows the texts of others as text.
"""

import io
import json
import re
import warnings
from collections.abc import Callable, Iterator
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from datasets import Dataset

from helpers.workflow.analysis import Analysis

if TYPE_CHECKING:
    from matplotlib.figure import Figure

HARDEST, SHOWN = 50, 20  # rows in the file of the hardest, and on the page
CLASSES = 12  # of a confusion matrix that is drawn; all are in the file
TEXTS = ("text", "tokens", "question", "context", "prompt", "messages")  # columns of what a model reads
HIDDEN = ("gold", "prediction")  # where they are texts themselves
CHARACTERS, LONG = 300, 24  # of a text on the page: at most, and those that get a wide column


def write(
    folder: str | Path,
    analysis: Analysis,
    rows: Dataset,
    *,
    title: str,
    ladder: pd.DataFrame,
    history: pd.DataFrame | None = None,
    texts: bool = True,
) -> Path:
    """Write predictions.jsonl, hardest.jsonl, confusion.csv and classes.csv, where there are any, and report.html.

    Args:
        folder: exists; files of these names are replaced.
        rows: those that were scored; their column `row`, if there is one, is their number in the file.
        title: of the page.
        ladder: of the model and what it is compared with (`evaluation.ladder`), the model last.
        history: of the training run.
        texts: False leaves what the rows say, and texts that were written or found for them, out of all files.

    Returns the path of the page.
    """
    folder = Path(folder)
    records = _records(analysis, rows, texts)
    _lines(folder / "predictions.jsonl", records)
    ranked = sorted((row for row in records if row["loss"] is not None), key=lambda row: -row["loss"])[:HARDEST]
    _lines(folder / "hardest.jsonl", ranked)
    for name, table in (("classes", analysis.classes), ("confusion", analysis.confusion)):
        if table is not None:
            table.to_csv(folder / f"{name}.csv", lineterminator="\n")
    page = _page(title, analysis, ladder, history, ranked[:SHOWN])
    (folder / "report.html").write_text(page, encoding="utf-8")
    return folder / "report.html"


def _records(analysis: Analysis, rows: Dataset, texts: bool) -> list[dict]:
    numbers = rows["row"][:] if "row" in rows.column_names else [None] * len(rows)
    shown = [name for name in TEXTS if name in rows.column_names] if texts else []
    read = [dict(zip(shown, values, strict=True)) for values in zip(*(rows[name][:] for name in shown), strict=True)]
    hidden = HIDDEN if analysis.private and not texts else ()
    return [
        {"row": number} | own | {name: value for name, value in made.items() if name not in hidden}
        for number, own, made in zip(numbers, read or [{}] * len(rows), analysis.rows, strict=True)
    ]


def _lines(path: Path, records: list[dict]) -> None:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in records), encoding="utf-8")


def _page(
    title: str, analysis: Analysis, ladder: pd.DataFrame, history: pd.DataFrame | None, hardest: list[dict]
) -> str:
    sections = [("Scores", _table(ladder.reset_index()), "")]
    if analysis.classes is not None:
        sections.append(("Each class", _table(analysis.classes.reset_index()), ""))
    if hardest:
        sections.append(("The hardest rows", _table(pd.DataFrame(hardest).drop(columns=_empty(hardest))), HINT))
    drawn = "".join(f"<figure>{svg}</figure>" for svg in _pictures(analysis, ladder, history))
    body = "".join(
        f"<section><h2>{escape(name)}</h2>{hint}<div class=wide tabindex=0>{table}</div></section>"
        for name, table, hint in sections
    )
    n = f"{len(analysis.rows):,}"
    return PAGE.replace("{n}", n).replace("{title}", escape(title)).replace("{body}", body + drawn)


HINT = "<p>Highest loss first. Read them: wrong labels and texts that say too little are found here.</p>"


def _empty(records: list[dict]) -> list[str]:
    return [name for name in records[0] if all(row[name] is None for row in records)]


def _table(frame: pd.DataFrame) -> str:
    """A table whose every cell is escaped; numbers have three digits, texts at most `CHARACTERS`."""
    head = "".join(f"<th scope=col>{escape(str(name))}</th>" for name in frame.columns)
    lines = "".join("<tr>" + "".join(map(_cell, row)) + "</tr>" for row in frame.itertuples(index=False, name=None))
    return f"<table><thead><tr>{head}</tr></thead><tbody>{lines}</tbody></table>"


def _cell(value) -> str:
    if isinstance(value, float | np.floating):
        return f"<td class=number>{value:.3f}</td>"
    if isinstance(value, int | np.integer):
        return f"<td class=number>{value:,}</td>"
    text = " ".join(value) if isinstance(value, list) and all(isinstance(item, str) for item in value) else str(value)
    kind = ' class="long"' if len(text) > LONG else ""
    return f'<td{kind} dir="auto">{escape(text[:CHARACTERS])}{"…" if len(text) > CHARACTERS else ""}</td>'


def _pictures(analysis: Analysis, ladder: pd.DataFrame, history: pd.DataFrame | None) -> Iterator[str]:
    from helpers.evaluation import pictures  # here, as matplotlib takes a second to load

    score, counts = str(ladder.columns[0]), analysis.confusion
    values = ladder.iloc[:, :3].set_axis(["value", "low", "high"], axis=1).set_axis(_plain(ladder.index))
    yield vector("scores of the systems", pictures.intervals, values, score)
    if counts is not None and list(counts.index) == list(counts.columns):
        counts = _most_confused(counts)
        counts = counts.set_axis(_plain(counts.index)).set_axis(_plain(counts.columns), axis=1)
        yield vector("confusion matrix", pictures.confusion_matrix, counts)
    if analysis.confidence is not None:
        curve, colours = {"this model": analysis.confidence}, {"other": pictures.BLUE}
        yield vector("accuracy over confidence", pictures.reliability_curve, curve, colours)
    losses = np.array([row["loss"] for row in analysis.rows if row["loss"] is not None], float)
    if len(losses):
        yield vector("histogram of losses", pictures.histogram, losses, "loss")
    for name in () if history is None else history.filter(like="validation_"):
        measured = history.set_index("step")[name].dropna()
        if len(measured) > 1:
            yield vector(f"{name} over steps", pictures.epochs, measured, name.replace("_", " ", 1))


def _most_confused(counts: pd.DataFrame) -> pd.DataFrame:
    """The part of a confusion matrix with the classes that have the most errors, in their order."""
    wrong = counts.sum(axis=1) + counts.sum(axis=0) - 2 * np.diag(counts)
    kept = wrong.sort_values(ascending=False, kind="stable").index[:CLASSES]
    names = [name for name in counts.index if name in set(kept)]
    return counts.loc[names, names]


def _plain(names) -> list[str]:
    """Names as a picture can show them: short, and of printable characters."""
    texts = ["".join(letter if letter.isprintable() else " " for letter in str(name)) for name in names]
    return [text[:24] + "…" if len(text) > 25 else text for text in texts]


def vector(alt: str, draw: "Callable[..., Figure]", *data) -> str:
    """What `draw` makes of data as an SVG element: what is black in it takes the colour of the page's text."""
    import matplotlib.pyplot as plt

    settings = {
        "svg.fonttype": "none",
        "text.parse_math": False,  # a label may hold dollar signs
        "figure.constrained_layout.use": True,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.titlelocation": "left",
        "font.size": 12,
        "legend.frameon": False,
    }
    buffer = io.StringIO()
    with plt.rc_context(settings), warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of letters that matplotlib's font lacks; the browser has them
        figure = draw(*data)
        for axes in figure.axes:
            axes.set_facecolor("none")
        figure.savefig(buffer, format="svg", facecolor="none", metadata={"Date": None, "Creator": None})
        plt.close(figure)
    svg = buffer.getvalue()
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg[svg.index("<svg") :], flags=re.DOTALL)
    svg = svg.replace("#000000", "currentColor")
    return re.sub(r"<svg ", f'<svg role="img" aria-label="{escape(alt)}" ', svg, count=1)


PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; img-src data:">
<title>{title}</title>
<style>
html { color-scheme: light dark }
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
.wide { overflow-x: auto }
table { border-collapse: collapse; font-size: .9rem }
th, td { border-bottom: 1px solid color-mix(in srgb, currentColor 25%, transparent); padding: .3rem .6rem;
  text-align: start; vertical-align: top }
th { white-space: nowrap }
.long { overflow-wrap: anywhere; min-width: 14rem }
.number { text-align: end; font-variant-numeric: tabular-nums }
figure { margin: 2rem 0 }
svg { display: block; max-width: 100%; height: auto }
svg text { fill: currentColor }
svg text[style*="#ffffff"] { fill: #fff }
svg text[style*="#111111"] { fill: #111 }
</style></head><body>
<h1>{title}</h1>
<p>What the model made of {n} labelled rows that it was not trained on. The same rows are in predictions.jsonl beside
this page.</p>
{body}
</body></html>
"""
