"""Interface strings into French: chrF and BLEU over the number of translated strings that there are to learn from."""

from collections.abc import Iterator

from experiments.pairs import asked, scored, tuned
from helpers import Generation, Recipe, corpora, metrics, sample
from helpers.corpora.strings import FRAME, INSTRUCTION
from helpers.data import framed
from helpers.tasks.generation import baselines

CORPUS, MODEL = "strings", "decoder"
TEST_ROWS = 120
MEMORIES = (48, 64, 300, 1000, 10_000)
# Training rows and seed; 0 rows is zero-shot, and 48 are what the chapter trains on live.
TUNED = ((64, 0), (64, 1), (0, 0), (64, 2), (300, 0), (1000, 0), (48, 0), (48, 1), (48, 2))
RECIPE = {"learning_rate": 2e-4, "epochs": 1, "batch_rows": 8}


def french() -> Iterator[tuple[dict, callable]]:
    """Copying, translation memories, the pretrained decoder, and fine-tuned ones."""
    data, scores = corpora.load(CORPUS).data, (metrics.Chrf(), metrics.Bleu())
    test = sample(data["test"], TEST_ROWS, 0)
    about = {"system": "copy", "train_rows": 0, "seed": 0}
    yield about, lambda: scored(scores, baselines.copied_prompt(test), test)
    for rows in MEMORIES:
        train = sample(data["train"], rows, 0)
        about = {"system": "memory", "train_rows": len(train), "seed": 0}
        yield about, lambda train=train: scored(scores, baselines.translation_memory(train, test), test)
    task = Generation(template="plain", max_new_tokens=40)
    for rows, seed in TUNED:
        if rows == 0:
            about = {"system": "zero-shot", "train_rows": 0, "seed": 0}
            yield about, lambda: asked(Generation(system=INSTRUCTION, max_new_tokens=40), test, scores)
            continue
        train, recipe = framed(sample(data["train"], rows, seed), FRAME), Recipe(**RECIPE, seed=seed)
        about = {"system": "fine-tuned", "train_rows": rows, "seed": seed}
        yield about, lambda train=train, recipe=recipe: tuned(task, train, framed(test, FRAME), scores, recipe)


def french_ablations() -> Iterator[tuple[dict, callable]]:
    """Validation chrF after 64 strings when one setting of the recipe changes, one seed."""
    data, scores = corpora.load(CORPUS).data, (metrics.Chrf(), metrics.Bleu())
    train, test = framed(sample(data["train"], 64, 0), FRAME), framed(sample(data["validation"], TEST_ROWS, 0), FRAME)
    task = Generation(template="plain", max_new_tokens=40)
    for change in ({}, {"learning_rate": 5e-5}, {"learning_rate": 8e-4}, {"epochs": 4}):
        about = {"system": "fine-tuned", "train_rows": 64, "seed": 0, "change": change}
        yield about, lambda change=change: tuned(task, train, test, scores, Recipe(**RECIPE | change, seed=0))


EXPERIMENTS = {"strings-french": french, "strings-ablations": french_ablations}
