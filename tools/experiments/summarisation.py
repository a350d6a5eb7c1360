"""Docstrings in one line: ROUGE of summaries of libraries that were held out, and of news articles."""

from collections.abc import Iterator

from helpers import corpora, metrics, pair_baselines
from helpers.recipe import Recipe
from helpers.tasks.generation import Generation
from tools.experiments import subset
from tools.writing import asked, framed, scored, tuned

CORPUS, MODEL = "docstrings", "decoder"
TEST_ROWS = 100
TUNED = ((32, (0, 1, 2)), (250, (0,)), (1000, (0,)))
RECIPE = {"learning_rate": 2e-4, "epochs": 1, "batch_rows": 8}
ASKED = "Sum up the documentation of a function in one short line. Answer with this line alone."
FRAME = "{}\nSummary:\n"


def docstrings() -> Iterator[tuple[dict, callable]]:
    """Lead, central sentence, the decoder as it comes, and fine-tuned ones."""
    data, scores = corpora.load(CORPUS).data, (metrics.Rouge1(), metrics.Rouge2(), metrics.RougeL())
    test, fixed = subset(data["test"], TEST_ROWS, 0), {"train_rows": 0, "seed": 0}
    yield {"system": "lead", **fixed}, lambda: scored(scores, pair_baselines.lead(test), test)
    yield {"system": "central", **fixed}, lambda: scored(scores, pair_baselines.central(data["train"], test), test)
    yield {"system": "zero-shot", **fixed}, lambda: asked(Generation(system=ASKED, max_new_tokens=32), test, scores)
    task = Generation(template="plain", max_new_tokens=32)
    for rows, seeds in TUNED:
        for seed in seeds:
            train, recipe = framed(subset(data["train"], rows, seed), FRAME), Recipe(**RECIPE, seed=seed)
            about = {"system": "fine-tuned", "train_rows": rows, "seed": seed}
            yield about, lambda train=train, recipe=recipe: tuned(task, train, framed(test, FRAME), scores, recipe)


EXPERIMENTS = {"docstrings": docstrings}
