"""Eight bugs in a training script: how good its model is after each repair, on 500 labelled sentences."""

from collections.abc import Iterator

import numpy as np
import torch
from datasets import Dataset
from torch.nn.functional import cross_entropy
from transformers import AutoModelForSequenceClassification

from helpers import Classification, corpora, models, sample
from helpers.book import listing

CORPUS, MODEL = "reviews", "encoder"
SEEDS = range(3)
TRAIN_ROWS, CHOOSE_ON = 500, 200
RATE, OTHER_RATE = 2e-5, 1e-4  # of the script, and what the validation rows may choose in its place
# The repairs of each rung. The device is left out: on a processor it changes nothing.
RUNGS = {
    "listing": (),
    "labels": (1, 2, 3),
    "tokenised once": (1, 2, 3, 4),
    "train()": (1, 2, 3, 4, 5, 6),
    "schedule": (1, 2, 3, 4, 5, 6, 7),
    "validation": tuple(listing.BUGS),
}


def eight_bugs() -> Iterator[tuple[dict, callable]]:
    """Accuracy on all test rows after each repair; three draws of the training rows."""
    for seed in SEEDS:
        for system, repairs in RUNGS.items():
            about = {"system": system, "train_rows": TRAIN_ROWS, "rate": RATE, "seed": seed}
            yield about, lambda repairs=repairs, seed=seed: _repaired(repairs, RATE, seed)
        about = {"system": "validation", "train_rows": TRAIN_ROWS, "rate": OTHER_RATE, "seed": seed}
        yield about, lambda seed=seed: _repaired(RUNGS["validation"], OTHER_RATE, seed)


EXPERIMENTS = {"eight-bugs": eight_bugs}


def names(seed: int) -> dict:
    """What the script takes for granted: a tokenizer, a model, and texts with labels to learn from and to look at."""
    train, unseen = sample(_rows("train"), TRAIN_ROWS, seed), _unseen()
    model = models.load(AutoModelForSequenceClassification, MODEL, seed=seed, num_labels=2)
    learned = {"texts": train["text"][:], "labels": train["label"][:]}
    looked_at = {"unseen_texts": unseen["text"][:], "unseen_labels": unseen["label"][:]}
    return learned | looked_at | {"tokenizer": models.tokenizer(MODEL), "model": model}


def _repaired(repairs: tuple[int, ...], rate: float, seed: int) -> dict:
    given, epochs = names(seed), []

    def looked(*scored) -> torch.Tensor:
        epochs.append(cross_entropy(*scored))
        return epochs[-1]

    torch.manual_seed(seed)
    if repairs:  # without any, the script dies in its first line
        code = listing.script(repairs).replace("lr=2e-5", f"lr={rate}")
        listing.run(code, **given, cross_entropy=looked)
    test, unseen = _rows("test"), _unseen()
    right = _predicted(given, test).argmax(-1) == np.array(test["label"])
    p = _predicted(given, unseen)[np.arange(len(unseen)), unseen["label"]]
    return {
        "n": len(right),
        "accuracy": float(right.mean()),
        "validation_loss": float(-np.log(p).mean()),
        "epoch_losses": [round(loss.item(), 5) for loss in epochs],
        "correct": right,
    }


def _rows(part: str) -> Dataset:
    return corpora.load(CORPUS).data[part]


def _unseen() -> Dataset:
    return sample(_rows("validation"), CHOOSE_ON)


def _predicted(given: dict, rows: Dataset) -> np.ndarray:
    """Probabilities of the labels of each row, shape (N, C)."""
    task = Classification(corpora.load(CORPUS).labels, max_length=512)
    return np.asarray(task.predict(given["model"], task.encode(given["tokenizer"], rows)))
