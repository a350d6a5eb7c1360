"""Eight bugs in a training script: how good its model is after each repair, on 500 labelled sentences.

Five of the script's ten epochs, so that a reader can run a rung in half a minute.
"""

from collections.abc import Iterator
from functools import lru_cache

import numpy as np
import torch
from datasets import Dataset
from transformers import AutoModelForSequenceClassification

from helpers import Classification, corpora, models, sample
from helpers.book import listing

CORPUS, MODEL = "reviews", "encoder"
SEEDS = range(3)
TRAIN_ROWS, CHOOSE_ON, EPOCHS = 500, 200, 5
LOSS_STEPS = 1_000  # the loss of a test row is kept in thousandths of a nat
RATE = 1e-4  # at which the packaged encoder learns; that of the script is made for a larger one
# The repairs of each rung. Bugs 4 and 5 cost time alone, or on a processor nothing, so they have no rung of their own.
RUNGS = {
    "listing": (),
    "labels": (1, 2, 3),
    "train()": (1, 2, 3, 4, 5, 6),
    "schedule": tuple(listing.BUGS),  # and the weights of the last epoch
    "validation": tuple(listing.BUGS),
}


def eight_bugs() -> Iterator[tuple[dict, callable]]:
    """Accuracy and loss on all test rows after each repair; three draws of the training rows."""
    for seed in SEEDS:
        for system in RUNGS:
            about = {"system": system, "train_rows": TRAIN_ROWS, "rate": RATE, "epochs": EPOCHS, "seed": seed}
            yield about, lambda about=about: _repaired(**about)


EXPERIMENTS = {"eight-bugs": eight_bugs}


def names(seed: int) -> dict:
    """What the script takes for granted: a tokenizer, a model, and texts with labels to learn from and to look at."""
    train, unseen = sample(_rows("train"), TRAIN_ROWS, seed), _unseen()
    model = models.load(AutoModelForSequenceClassification, MODEL, seed=seed, num_labels=2)
    learned = {"texts": train["text"][:], "labels": train["label"][:]}
    looked_at = {"unseen_texts": unseen["text"][:], "unseen_labels": unseen["label"][:]}
    return learned | looked_at | {"tokenizer": models.tokenizer(MODEL), "model": model}


def _repaired(system: str, seed: int, **_) -> dict:
    given, epochs = _trained(RUNGS[system], seed)
    if system == "validation":
        given["model"].load_state_dict(given["kept"])
    test = _rows("test")
    p, labels = _predicted(given, test), np.array(test["label"])  # (N, C), (N,)
    right, losses = p.argmax(-1) == labels, -np.log(p[np.arange(len(labels)), labels])  # (N,) each
    scores = {"accuracy": float(right.mean()), "loss": float(losses.mean())}
    kept = {"correct": right, "counts": np.rint(losses[:, None] * LOSS_STEPS).astype(int)}
    return {"n": len(right), "looks": epochs} | kept | scores


@lru_cache(maxsize=1)
def _trained(repairs: tuple[int, ...], seed: int) -> tuple[dict, list]:
    """All names of the script with the weights of its last epoch, and validation loss and accuracy of each epoch."""
    given, epochs = names(seed), []
    if not repairs:
        return given, epochs  # the script dies in its first line

    def looked(_epoch: int, loss: float, score: float) -> None:
        epochs.append([round(loss, 5), score])

    torch.manual_seed(seed)
    code = listing.shortened(listing.script(repairs).replace("lr=2e-5", f"lr={RATE}"), EPOCHS)
    return listing.run(code.replace(listing.CHOICE, ""), **given, print=looked), epochs


def _rows(part: str) -> Dataset:
    return corpora.load(CORPUS).data[part]


def _unseen() -> Dataset:
    return sample(_rows("validation"), CHOOSE_ON)


def _predicted(given: dict, rows: Dataset) -> np.ndarray:
    """Probabilities of the labels of each row, shape (N, C)."""
    task = Classification(corpora.load(CORPUS).labels, max_length=512)
    return np.asarray(task.predict(given["model"], task.encode(given["tokenizer"], rows)))
