"""The first page: its picture, computed from the ledger, and a card for each chapter with question, minutes, thumbnail.

    python -m tools.front       writes book/_static/front.svg, the picture of README.md, anew

`book/index.md` says with `% picture` and `% cards` where they go; `tools.book` fills them in when it builds the pages.
"""

import json
import math
import re
import sys
from dataclasses import dataclass
from html import escape
from pathlib import Path

import numpy as np
import yaml
from IPython.core.formatters import HTMLFormatter

from helpers.book import ledger
from helpers.book.diagrams.canvas import Canvas, Drawing, drawing
from tools import address, thumbnails

ROOT = Path(__file__).resolve().parent.parent
PICTURE = Path("book", "_static", "front.svg")
FEW = 500  # labels
WORDS_A_MINUTE = 150  # of prose with mathematics in it
NO_CARDS = ("Appendix",)  # parts of the contents whose pages are for looking up
SAID = {"status": "", "day": "on ", "machine": "on a machine with "}  # how a sentence says what a run was like
SENTENCE = "A slick, engrossing melodrama."


FIRST_TO_RUN = "05-project/text-classification"
BUTTON = """\
```{{button-{kind}}} {target}
:color: primary
:outline:
:expand:

{text}
```"""


@dataclass(frozen=True)
class Curves:
    """What the ledger knows of the film reviews: mean accuracy by labels, of each system.

    Attributes:
        with_pretraining, without: (labels, accuracy) of the fine-tuned encoder, and of counted words.
        worth: labels with which counted words reach what fine-tuning reaches with `FEW`.
        tested: test rows.
        runs: how many a dot stands for, such as "1 to 5".
    """

    with_pretraining: list[tuple[int, float]]
    without: list[tuple[int, float]]
    worth: int
    tested: int
    runs: str


def curves() -> Curves:
    """Read the ledger. Raises AssertionError if counted words never reach fine-tuning with `FEW` labels."""
    results = ledger.read("reviews-curve")
    found, counts = {}, set()
    for system in ("fine-tuned", "tf-idf"):
        by_size = dict(results.where(system=system).by("train_rows"))
        found[system] = sorted((rows, float(each.correct().mean())) for rows, each in by_size.items())
        counts |= {len(each) for each in by_size.values()}
    sizes, scores = np.array(found["tf-idf"]).T
    reached = dict(found["fine-tuned"])[FEW]
    assert scores[0] < reached < scores[-1], "the picture of the first page needs a curve that crosses this accuracy"
    worth = math.exp(np.interp(reached, scores, np.log(sizes)))
    tested, runs = results.correct().shape[-1], f"{min(counts)} to {max(counts)}"
    return Curves(found["fine-tuned"], found["tf-idf"], 100 * round(worth / 100), tested, runs)


def picture(found: Curves) -> Drawing:
    """From a text over BERT to a label, and what the pretraining of that BERT is worth in labels."""

    def layout(canvas: Canvas) -> None:
        below = _reading(canvas)
        if canvas.upright:
            _plot(canvas, found, 8, below + 46, canvas.width - 16)
        else:
            _plot(canvas, found, 330, 30, 420)

    return drawing(
        "A text goes through BERT, which was pretrained, and a new layer to a label. Accuracy over labels: "
        f"{FEW} labels with pretraining are worth about {found.worth:,} without it.",
        layout,
    )


def _reading(canvas: Canvas) -> float:
    """Text, BERT and label, one below the other; returns where they end."""
    x, wide = 8, canvas.width - 16 if canvas.upright else 290
    middle = x + wide / 2
    canvas.text(x, 20, "a text", "soft")
    canvas.box(x, 30, wide, 40, "open", SENTENCE)
    canvas.wire([(middle, 72), (middle, 94)])
    canvas.box(x, 96, wide, 52, "body", "BERT", f"pretrained, then tuned by {FEW} labels")
    canvas.wire([(middle, 150), (middle, 172)])
    canvas.box(x, 174, wide, 44, "new", "a new layer", f"learnt from the same {FEW}")
    canvas.wire([(middle, 220), (middle, 242)])
    canvas.box(middle - 100, 244, 200, 34, "good", "fresh: the critic liked it")
    return 284


def _plot(canvas: Canvas, found: Curves, x: float, y: float, wide: float) -> None:
    """Both curves over the logarithm of the labels, and the arrow from the one to the other."""
    points = [*found.with_pretraining, *found.without]
    least, most = min(rows for rows, _ in points), max(rows for rows, _ in points)
    low, high = (min(score for _, score in points), max(score for _, score in points))
    left, deep = x + 42, 204

    def place(rows: float, score: float) -> tuple[float, float]:
        across = math.log(rows / least) / math.log(most / least)
        return left + 6 + across * (wide - 62), y + 12 + (high - score) / (high - low) * (deep - 24)

    canvas.text(x, y - 10, "accuracy on new sentences", "soft")
    canvas.wire([(left, y), (left, y + deep), (x + wide, y + deep)], tip=False)
    for rows in (least, FEW, 2000, most):
        canvas.text(place(rows, low)[0], y + deep + 18, f"{rows:,}", "soft", "middle")
    canvas.text(x + wide, y + deep + 38, "labelled sentences", "soft", "end")
    for score in np.arange(math.ceil(low * 20), high * 20 + 0.01) / 20:
        canvas.text(left - 6, place(least, score)[1] + 4, f"{score:.0%}", "soft", "end")
    for curve, colour in ((found.without, "line"), (found.with_pretraining, "bodyline")):
        _curve(canvas, [place(*point) for point in curve], colour)
    reached = dict(found.with_pretraining)[FEW]
    (start, height), (end, _) = place(FEW, reached), place(found.worth, reached)
    canvas.wire([(start + 8, height), (end - 4, height)], "lit")
    canvas.text(start + 4, height + 18, f"{FEW} labels ≈ {found.worth:,}", "lit")
    x_end, y_end = place(*found.with_pretraining[-1])
    canvas.text(x_end - 30, y_end - 5, "with pretraining", "strong", "end")
    canvas.text(x + wide, place(*found.without[1])[1] + 18, "without: counted words", "strong", "end")


def _curve(canvas: Canvas, points: list[tuple[float, float]], colour: str) -> None:
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    canvas.parts.append(f'<polyline points="{path}" style="fill:none;stroke:var(--{colour});stroke-width:3"/>')
    for x, y in points:
        canvas.parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4.5" style="fill:var(--{colour})"/>')


def caption(found: Curves) -> str:
    """What the picture shows, in a sentence with its n."""
    return (
        f"A fine-tuned BERT reaches with {FEW} labelled sentences what counted words (TF-IDF) reach with about "
        f"{found.worth:,}. Accuracy on {found.tested:,} test sentences of film reviews, means of {found.runs} "
        "runs a dot. This BERT is the small all-MiniLM-L6-v2, whose pretraining ends with a "
        "billion pairs of sentences, some of them labelled by people."
    )


def standing_alone(drawn: Drawing) -> str:
    """A drawing as a file that follows the colour scheme of whoever looks at it, for README.md."""
    style = re.search(r"<style>(.*?)</style>", HTMLFormatter()(drawn), re.DOTALL)[1].replace("\n", "")
    dark = re.search(r"body\[data-jp-theme-light=false\] \.drawing(\{.*?\})", style)[1]
    style = re.sub(r"html\[data-theme=dark\].*?\}|@container.*?\}\}|\.drawing\{container[^}]*\}", "", style)
    width, height = re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', drawn.wide).groups()
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="drawing" viewBox="0 0 {width} {height}" width="{width}" '
        f'height="{height}"><title>{escape(drawn.description)}</title>'
        f"<style>{style}@media (prefers-color-scheme:dark){{.drawing{dark}}}</style>{drawn.wide}</svg>\n"
    )


def fill(root: Path) -> None:
    """Put what is computed into the pages of `executed/` that ask for it."""
    page = root / "executed" / "book" / "index.md"
    text = page.read_text(encoding="utf-8")
    if "\n% picture\n" in text:
        found = curves()
        html = HTMLFormatter()(picture(found)) + f'<p class="front-caption">{escape(caption(found))}</p>'
        text = text.replace("\n% picture\n", f"\n```{{raw}} html\n{html}\n```\n")
    if "\n% cards\n" in text:
        text = text.replace("\n% cards\n", "\n" + cards(root) + "\n")
    page.write_text(text.replace("\n% second\n", "\n" + second_button(root) + "\n"), encoding="utf-8")
    for name, mark, content in (("status", "% status", status), ("how-to-cite", "% citation", citation)):
        page = root / "executed" / "book" / "appendix" / f"{name}.md"
        if page.exists():
            page.write_text(page.read_text(encoding="utf-8").replace(mark, content(root)), encoding="utf-8")


def status(root: Path) -> str:
    """A table of the notebooks with the seconds of each; above it, once, what is the same for all of them."""
    names = [name for part in parts(root).values() for name in part if source(root, name).suffix == ".ipynb"]
    rows = [status_row(root, name) for name in names]
    alike = [column for column in SAID if len({row[column] for row in rows}) == 1]
    said = ", ".join(SAID[column] + rows[0][column] for column in alike if rows[0][column])
    total = sum(int(row["seconds"] or 0) for row in rows)
    shown = [column for column in rows[0] if column not in alike]
    rows += [dict.fromkeys(shown, "") | {"notebook": "all", "seconds": str(total)}]
    lines = [shown, ["--:" if column == "seconds" else "---" for column in shown]]
    lines += [[row[column] for column in shown] for row in rows]
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    lead = f"**Each of the {len(names)} notebooks {said}.** " if "status" in alike else ""
    return f"{lead}The times add up to {total / 60:.0f} minutes.\n\n{table}"


def status_row(root: Path, name: str) -> dict[str, str]:
    """The row of a notebook in the table of their status."""
    row = {"notebook": f"[{title(root, name)}](../{name}.ipynb)", "status": "has not run"}
    row |= dict.fromkeys(("seconds", "day", "machine"), "")
    if entry := record(root).get(f"book/{name}.ipynb"):
        row |= {"status": "ran to its end", "seconds": f"{entry['seconds']:.0f}"}
        row |= {column: entry.get(column, "") for column in ("day", "machine")}
    return row


def citation(root: Path) -> str:
    """How to cite the book, as text and for BibTeX, from CITATION.cff."""
    cited = yaml.safe_load((root / "CITATION.cff").read_text(encoding="utf-8"))
    authors, url = " and ".join(each["name"] for each in cited["authors"]), cited.get("url", "")
    year = yaml.safe_load((root / "_config.yml").read_text(encoding="utf-8"))["copyright"]
    nameless = cited["title"] in authors  # "The authors of ..." would say the title twice
    fields = {
        "title": cited["title"],
        "author": "" if nameless else f"{{{authors}}}",
        "year": year,
        "version": cited["version"],
        "url": url,
    }
    listed = "".join(f"  {key} = {{{value}}},\n" for key, value in fields.items() if value)
    work = f"*{cited['title']}*, version {cited['version']}"
    said = (f"{work} ({year}). {url}" if nameless else f"{authors} ({year}). {work}. {url}").strip()
    entry = f"```bibtex\n@software{{supervised_fine_tuning_in_practice,\n{listed}}}\n```"
    return f"In a text:\n\n> {said}\n\nIn BibTeX:\n\n{entry}"


def record(root: Path) -> dict[str, dict]:
    """What is known of each notebook that has run."""
    path = root / "executed" / "record.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def second_button(root: Path) -> str:
    """The way to run a chapter: in Colab where the book has an address, on the reader's machine where it has none."""
    if url := address.colab(root, f"book/{FIRST_TO_RUN}.ipynb"):
        return BUTTON.format(kind="link", target=url, text="Run a chapter in Colab")
    return BUTTON.format(kind="ref", target="run-it", text="Run it on your machine")


def cards(root: Path) -> str:
    """A grid of cards for each part of the contents; their thumbnails are written beside the pages."""
    said = yaml.safe_load((root / "book" / "cards.yml").read_text(encoding="utf-8"))
    folder = root / "executed" / "book" / "_static"
    for name in thumbnails.PICTURES:
        (folder / f"card-{name}.svg").write_text(thumbnails.svg(name), encoding="utf-8")
    lines = []
    for caption, names in parts(root).items():
        if caption not in NO_CARDS:
            lines += [
                f"### {caption}",
                "",
                "::::::{grid} 1 2 2 3",
                ":gutter: 3",
                ":class-container: chapters",
                "",
            ]
            lines += [card(root, name, said.get(name, {})) for name in names] + ["::::::", ""]
    return "\n".join(lines)


def parts(root: Path) -> dict[str, list[str]]:
    """The parts of the contents with their pages, as `05-project/gpt`."""
    contents = yaml.safe_load((root / "_toc.yml").read_text(encoding="utf-8"))
    return {
        part["caption"]: [chapter["file"].removeprefix("book/") for chapter in part["chapters"]]
        for part in contents["parts"]
    }


def card(root: Path, name: str, said: dict) -> str:
    """A card that leads to a page."""
    drawn = said.get("picture", "page")
    return f""":::::{{grid-item-card}} {title(root, name)}
:link: {name}
:link-type: doc
:img-top: _static/card-{drawn}.svg
:img-alt: A sketch
{said.get("question", "")}
::::{{card-footer}}
{minutes(root, name)}
::::
:::::
"""


def source(root: Path, name: str) -> Path:
    """The file of a page, named as in the contents without `book/`."""
    stem = root / "book" / name
    return next(path for ending in (".ipynb", ".md") if (path := stem.with_name(stem.name + ending)).exists())


def prose(root: Path, name: str) -> str:
    """The text of a page, without its code."""
    path = source(root, name)
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".md":
        return text
    cells = [cell for cell in json.loads(text)["cells"] if cell["cell_type"] == "markdown"]
    return "\n\n".join("".join(cell["source"]) for cell in cells)


def title(root: Path, name: str) -> str:
    return re.search(r"^# (.+)$", prose(root, name), re.MULTILINE)[1]


def minutes(root: Path, name: str) -> str:
    """How long a page takes to read, and to run where it has been."""
    reading = f"{math.ceil(len(prose(root, name).split()) / WORDS_A_MINUTE)} min to read"
    seconds = record(root).get(f"book/{name}.ipynb", {}).get("seconds")
    return f"{reading}, {seconds / 60:.1f} min to run" if seconds else reading


def main() -> int:
    (ROOT / PICTURE).write_text(standing_alone(picture(curves())), encoding="utf-8", newline="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
