"""Docstrings in one line: ROUGE of summaries of libraries that were held out, and of news articles."""

from collections.abc import Iterator

from helpers import corpora, metrics, pair_baselines
from helpers.corpora.base import framed
from helpers.recipe import Recipe
from helpers.tasks.generation import Generation
from tools.experiments import subset
from tools.writing import asked, scored, tuned

CORPUS, MODEL = "docstrings", "decoder"
TEST_ROWS = 80
TUNED = ((32, 0), (32, 1), (0, 0), (200, 0), (32, 2), (1000, 0))  # training rows and seed; 0 rows is zero-shot
RECIPE = {"learning_rate": 2e-4, "epochs": 1, "batch_rows": 8}
ASKED = "Sum up the documentation of a function in one short line. Answer with this line alone."
FRAME = "{}\nSummary:\n"


def docstrings() -> Iterator[tuple[dict, callable]]:
    """Lead, central sentence, the decoder as it comes, and fine-tuned ones."""
    data, scores = corpora.load(CORPUS).data, (metrics.Rouge1(), metrics.Rouge2(), metrics.RougeL())
    test, fixed = subset(data["test"], TEST_ROWS, 0), {"train_rows": 0, "seed": 0}
    yield {"system": "lead", **fixed}, lambda: scored(scores, pair_baselines.lead(test), test)
    yield {"system": "central", **fixed}, lambda: scored(scores, pair_baselines.central(data["train"], test), test)
    task = Generation(template="plain", max_new_tokens=24)
    for rows, seed in TUNED:
        if rows == 0:
            chat = Generation(system=ASKED, max_new_tokens=24)
            yield {"system": "zero-shot", **fixed}, lambda chat=chat: asked(chat, test, scores)
            continue
        train, recipe = framed(subset(data["train"], rows, seed), FRAME), Recipe(**RECIPE, seed=seed)
        about = {"system": "fine-tuned", "train_rows": rows, "seed": seed}
        yield about, lambda train=train, recipe=recipe: tuned(task, train, framed(test, FRAME), scores, recipe)


EXPERIMENTS = {"docstrings": docstrings}
