"""Film reviews: accuracy over training-set size, and ablations of the recipe."""

from collections.abc import Iterator
from functools import cache

import numpy as np
from datasets import DatasetDict
from transformers import AutoModel

from experiments import recording
from helpers import Classification, Recipe, corpora, fit, models, sample
from helpers.models.embedding import embed
from helpers.tasks.classification import baselines

CORPUS, MODEL = "reviews", "encoder"
SEEDS, ONE_SEED_OVER = range(5), 2000  # above so many rows the first seed alone runs, to save time
ABLATION_SEEDS = range(3)
RECIPE = {"learning_rate": 1e-4, "epochs": 3}
CHOOSE_ON = 400  # validation rows that choose; the rest of validation is what ablations are scored on


def reviews() -> DatasetDict:
    """The reviews with `choosing`, the part of validation that chooses, and `validation`, the rest of it."""
    data = corpora.load("reviews").data
    shuffled = sample(data["validation"], len(data["validation"]))
    data["train"] = data["train"].add_column("place", list(range(len(data["train"]))))
    data["choosing"] = shuffled.select(range(CHOOSE_ON))
    data["validation"] = shuffled.select(range(CHOOSE_ON, len(shuffled)))
    return data


def reviews_curve() -> Iterator[tuple[dict, callable]]:
    """Test accuracy over training-set size: classical, frozen, randomly initialised, fine-tuned; five seeds."""
    data = reviews()
    for rows in (125, 500, 2000, 6000, len(data["train"])):
        for seed in _seeds(rows):
            about = {"train_rows": rows, "seed": seed}
            yield {"system": "tf-idf", **about}, lambda rows=rows, seed=seed: _classical(data, rows, seed)
            yield {"system": "frozen", **about}, lambda rows=rows, seed=seed: _frozen(data, rows, seed)
    for rows in (500, 2000):
        for seed in SEEDS:
            for system in ("fine-tuned", "random init"):
                about = {"system": system, "train_rows": rows, "seed": seed}
                yield about, lambda about=about: _tuned(data, "test", about, RECIPE)
    about = {"system": "fine-tuned", "train_rows": 6000, "seed": 0}
    yield about, lambda: _tuned(data, "test", about, RECIPE)


def reviews_ablations() -> Iterator[tuple[dict, callable]]:
    """Validation accuracy at 500 rows when one setting of the recipe changes, three seeds."""
    data = reviews()
    changes = [{"learning_rate": 2e-5}, {"learning_rate": 4e-4}, {"trainable": "head"}, {"trainable": 2}, {"epochs": 1}]
    changes += [{"attention_dropout": 0.0}, {"batch_rows": 128}, {}]
    for seed in ABLATION_SEEDS:
        for change in changes:
            about = {"system": "fine-tuned", "train_rows": 500, "seed": seed, "change": change}
            yield about, lambda about=about: _tuned(data, "validation", about, RECIPE | about["change"])


EXPERIMENTS = {"reviews-curve": reviews_curve, "reviews-ablations": reviews_ablations}


def _seeds(rows: int) -> range:
    return SEEDS if rows <= ONE_SEED_OVER else SEEDS[:1]


def _classical(data, rows: int, seed: int) -> dict:
    train = sample(data["train"], rows, seed)
    return scored(baselines.tfidf(train, data["choosing"], data["test"]), data["test"])


def _frozen(data, rows: int, seed: int) -> dict:
    train, parts = sample(data["train"], rows, seed), ("choosing", "test")
    features = [_embedded()["train"][train["place"]], *(_embedded()[part] for part in parts)]
    return scored(baselines.regression(features, train, data["choosing"]), data["test"])


@cache
def _embedded() -> dict[str, np.ndarray]:
    """The frozen encoder's features of every split, shape (rows, D)."""
    tokenizer, body, data = models.tokenizer(), models.load(AutoModel), reviews()
    return {part: embed(body, tokenizer, data[part]["text"]) for part in ("train", "choosing", "test")}


def _tuned(data, split: str, about: dict, settings: dict) -> dict:
    task = Classification(tuple(data["train"].features["label"].names))
    model = task.build(pretrained=about["system"] != "random init", seed=about["seed"])
    recipe = Recipe(**settings, seed=about["seed"])
    train, held_out = sample(data["train"], about["train_rows"], about["seed"]), data[split]
    with recording.Watch() as watch:
        run = fit(task, model, models.tokenizer(), train, data["choosing"], recipe)
    cost = recording.cost(run, watch) | {"epoch": run.best["epoch"]}
    return scored(run.predict(held_out), held_out) | cost | {"split": split}


def scored(probabilities: np.ndarray, held_out) -> dict:
    """The accuracy of predictions, (N, C), and which of them are right."""
    right = probabilities.argmax(-1) == np.array(held_out["label"])
    return {"accuracy": float(right.mean()), "n": len(right), "correct": right}
