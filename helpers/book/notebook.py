"""What every notebook of the book begins with, and how computed numbers reach its text."""

import os
import random
from collections.abc import Iterable, Mapping, Sequence
from html import escape

import datasets
import numpy as np
import pandas as pd
import torch
import transformers
from IPython.display import HTML, Markdown, display

from helpers import scales
from helpers.book import figures, ledger
from helpers.book.typography import escaped, typeset
from helpers.errors import InputError

# A shade below shows that there is more to scroll to; the ground that scrolls with the text covers it at the end.
_SCROLLING = (
    "white-space:pre-wrap;max-height:32em;overflow-y:auto;background-image:"
    "linear-gradient(to top,var(--pst-color-surface,Canvas) 40%,transparent),"
    "linear-gradient(to top,rgba(120,130,140,.55),transparent);background-repeat:no-repeat;"
    "background-position:0 100%;background-size:100% 40px,100% 14px;background-attachment:local,scroll"
)


def start(seed: int = 0) -> str:
    """Seed everything, set the plot style and quiet the libraries; returns the scale, `laptop` or `gpu`."""
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    datasets.disable_progress_bars()
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    pd.set_option("display.max_colwidth", 500)  # a review or a line of a data card is to be read, not cut
    figures.style()
    return scales.current()


def say(sentence: str) -> None:
    """Show a sentence whose numbers and words are computed in this run, so that it cannot go stale."""
    display(Markdown(typeset(sentence)))


def claim(holds: bool, sentence: str, on: str | None = None) -> None:
    """Show a sentence of the text, numbers included, if what it says holds in this run.

    Args:
        on: the scale at which it must hold; None is every scale. At another, a sentence that does not hold is shown
            with the remark that it does not.

    Raises AssertionError with the sentence if it does not hold where it must, so a claim that went stale fails the
    build.
    """
    if bool(holds):
        say(sentence)
    elif on not in (None, scales.current()):
        say(f"{sentence} *In this run that is not so: it is said of the scale {on}.*")
    else:
        raise AssertionError(f"this claim does not hold in this run: {sentence}")


def findings(sentences: Sequence[tuple[bool, str]], rule: str) -> None:
    """Show the box at the top of a chapter: what was found, and the rule to take away.

    Args:
        sentences: of each finding whether it holds in this run, and its sentence with number, n and interval.
        rule: what a reader should do.

    Raises AssertionError with the sentence that does not hold.
    """
    for holds, sentence in sentences:
        if not holds:
            raise AssertionError(f"this finding does not hold in this run: {sentence}")
    points = "\n".join(f"- {sentence}" for _, sentence in sentences)
    say(f'<div class="findings">\n\n**Findings**\n\n{points}\n\n**Rule.** {rule}\n\n</div>')


def predict(question: str, options: Mapping[str, str], right: str) -> None:
    """Show a question to answer before reading on; each option opens to say whether it is right, and why.

    Args:
        options: what opens under each option, by option; plain text.
        right: the option that is right.

    Raises InputError if `right` is none of the options.
    """
    if right not in options:
        raise InputError(f"the right answer '{right}' is none of the options {', '.join(options)}")
    shown = "".join(
        f"<details><summary>{escaped(option)}</summary><p><strong>{'Right' if option == right else 'No'}.</strong> "
        f"{escaped(why)}</p></details>"
        for option, why in options.items()
    )
    display(HTML(f'<div class="predict"><p><strong>Predict first.</strong> {escaped(question)}</p>{shown}</div>'))


def transcript(experiment: str, start: int = 0) -> None:
    """Show commands of the shell and what each printed, as `make results` ran them and the ledger keeps them.

    Args:
        start: how many of the commands before are left out.
    """
    kept = ledger.read(experiment).texts()[-1][2 * start :]
    printed(zip(kept[::2], kept[1::2], strict=True))


def printed(pairs: Iterable[tuple[str, str]]) -> None:
    """Show commands of the shell, each with what it printed, as long as its lines are."""
    parts = "\n\n".join(f"<b>$ {escape(command)}</b>\n{escape(said)}" for command, said in pairs)
    display(HTML(f'<pre class="transcript" tabindex="0" style="{_SCROLLING}">{parts}</pre>'))


def glue(name: str, content: object) -> None:
    """Show something, and let other pages of the book show it too, as `{glue:} name` of this page.

    It marks the output as `myst_nb.glue` does, which a reader in Colab does not have.
    """
    display(content, metadata={"scrapbook": {"name": name, "mime_prefix": ""}})
