"""The numbered equations of the book, and the tests that prove them.

    python -m tools.equations        writes book/appendix/equations.md

A numbered equation is one with a label behind it, `$$ ... $$ (eq-softmax)`. Its tests are the functions in tests/ whose
name is `test_` and the label with underscores, and whatever may follow.
"""

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tools import book

ROOT = Path(__file__).resolve().parent.parent
PAGE = Path("book", "appendix", "equations.md")
LABEL = re.compile(r"\$\$[ \n]*\(([\w-]+)\)")
SPELT = {  # what the words of a label are called in full
    "adamw": "AdamW",
    "backward": "backward algorithm",
    "bayes": "Bayes",
    "chrf": "chrF",
    "crf": "CRF",
    "cross entropy": "cross-entropy",
    "f1": "F1",
    "forward": "forward algorithm",
    "four bits": "weights of four bits",
    "icat": "iCAT, a score of stereotypes",
    "jacobian": "Jacobian",
    "judge orders": "a judge in both orders",
    "judge worth": "worth of a judge",
    "k best": "K best sequences",
    "kappa": "Cohen's kappa",
    "kl": "Kullback-Leibler divergence",
    "lm": "language model",
    "log softmax": "log-softmax",
    "lora": "LoRA",
    "markov": "Markov",
    "memm": "maximum-entropy Markov model",
    "multi head blocks": "multi-head attention as a sum",
    "multi head": "multi-head attention",
    "nll": "negative log-likelihood",
    "optimism": "optimism of the best score",
    "pair power": "power of compared pairs",
    "partial training": "cost of partial training",
    "rms": "RMS",
    "rotary": "rotary positions",
    "rouge l": "ROUGE-L",
    "shift": "shift of the share of positives",
    "viterbi": "Viterbi algorithm",
    "way cost": "cost of a way",
}
HEAD = """\
# Equations and their tests

Each numbered equation of this book has at least one test that carries its name. Most tests compare the code for it with
something independent: another library, a layer of a real model, or a sum over all possible cases, written out. Some
check the definition or a property. Most of the code that they test is in `helpers.maths`.

`pytest -k test_eq_span_loss` runs every test whose name holds this: those of one equation, and of others whose names
begin with it.
"""


class Equation(NamedTuple):
    """A label, the path of the chapter that holds it, and the tests named after it as `file::function`."""

    label: str
    chapter: str
    tests: list[str]


def equations(root: Path = ROOT) -> list[Equation]:
    """The numbered equations in the order of the contents; raises ValueError if two have the same label."""
    pairs = [(label, chapter) for chapter, text in _texts(root) for label in LABEL.findall(text)]
    labels = [label for label, _ in pairs]
    twice = {label for label in labels if labels.count(label) > 1}
    if twice:
        raise ValueError(f"more than one equation has the label {min(twice)}; rename one of them")
    tests: dict[str, list[str]] = {label: [] for label in labels}
    for name, test in _tests(root):
        names = [label for label in labels if f"{name}_".startswith(f"test_{label.replace('-', '_')}_")]
        if names:  # a label may begin with another: the longest one is meant
            tests[max(names, key=len)].append(test)
    return [Equation(label, chapter, tests[label]) for label, chapter in pairs]


def page(root: Path = ROOT) -> str:
    """The page of the appendix: one table a chapter, with the way to it."""
    parts, rows = [HEAD], equations(root)
    for chapter in dict.fromkeys(row.chapter for row in rows):
        way = f"../{chapter.removeprefix('book/')}"
        parts.append(f"## {_title(root / chapter)}\n\n| equation on [its page]({way}) | tests |\n|---|---|\n")
        for label, _, tests in (row for row in rows if row.chapter == chapter):
            names = "<br>".join(_breakable(test.split("::")[1]) for test in tests)
            parts[-1] += f"| [](#{label}) {_words(label)} | {names} |\n"
    return "\n".join(parts)


def _words(label: str) -> str:
    """What an equation is about, from its label: `eq-causal-lm` is a causal language model."""
    words = label.removeprefix("eq-").replace("-", " ")
    for plain, spelt in SPELT.items():
        words = re.sub(rf"\b{plain}\b", spelt, words)
    return words


def _breakable(name: str) -> str:
    """A name as code that breaks at the end of a line after an underscore alone."""
    return f"<code>{name.replace('_', '_<wbr>')}</code>"


def _texts(root: Path) -> Iterator[tuple[str, str]]:
    """The Markdown of each notebook, with its path, in the order of the contents."""
    order = book.documents(root) if (root / "_toc.yml").exists() else []
    place = {name: number for number, name in enumerate(order)}
    paths = sorted((root / "book").rglob("*.ipynb"))
    for path in sorted(paths, key=lambda path: place.get(path.relative_to(root).with_suffix("").as_posix(), -1)):
        if ".ipynb_checkpoints" not in path.parts:
            cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
            text = "\n\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")
            yield path.relative_to(root).as_posix(), text


def _tests(root: Path) -> Iterator[tuple[str, str]]:
    """Each test function's name, with its file before it."""
    for path in sorted((root / "tests").rglob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                yield node.name, f"{path.relative_to(root).as_posix()}::{node.name}"


def _title(notebook: Path) -> str:
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    text = next("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")
    return text.splitlines()[0].removeprefix("# ")


if __name__ == "__main__":
    (ROOT / PAGE).parent.mkdir(parents=True, exist_ok=True)
    (ROOT / PAGE).write_text(page(), encoding="utf-8", newline="\n")
