"""Compute again the results that take longer than a notebook may, into helpers/results/*.jsonl.

    python tools/results.py [experiment ...]      all that are missing
    python tools/results.py --anew [experiment]   all, after deleting the old results

A result that the ledger has is not computed again, so an interrupted run goes on where it was.
"""

import argparse
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np
from datasets import DatasetDict
from transformers import AutoModel

from helpers import assets, baselines, corpora, ledger, models
from helpers.errors import InputError
from helpers.recipe import Recipe
from helpers.tasks.classification import Classification
from helpers.training import fit

RESULTS = Path(__file__).resolve().parent.parent / "helpers" / "results"
SEEDS = range(5)
ABLATION_SEEDS = range(1)
RECIPE = {"learning_rate": 1e-4, "epochs": 3}
CHOOSE_ON = 400  # validation rows that choose; the rest of validation is what ablations are scored on


def subset(data, rows: int, seed: int):
    """The first `rows` rows in an order that depends on the seed alone, so that smaller subsets lie in larger ones."""
    return data.shuffle(seed=seed).select(range(min(rows, len(data))))


def reviews() -> DatasetDict:
    """The reviews with `choosing`, the part of validation that chooses, and `validation`, the rest of it."""
    data = corpora.load("reviews").data
    shuffled = data["validation"].shuffle(seed=0)
    data["train"] = data["train"].add_column("place", list(range(len(data["train"]))))
    data["choosing"] = shuffled.select(range(CHOOSE_ON))
    data["validation"] = shuffled.select(range(CHOOSE_ON, len(shuffled)))
    return data


def reviews_curve() -> Iterator[tuple[dict, callable]]:
    """Test accuracy over training-set size: classical, frozen, randomly initialised and fine-tuned, five seeds."""
    data = reviews()
    for rows in (125, 500, 2000, len(data["train"])):
        for seed in SEEDS if rows < len(data["train"]) else SEEDS[:1]:  # all rows are the same rows for every seed
            about = {"train_rows": rows, "seed": seed}
            yield {"system": "tf-idf", **about}, lambda rows=rows, seed=seed: _classical(data, rows, seed)
            yield {"system": "frozen", **about}, lambda rows=rows, seed=seed: _frozen(data, rows, seed)
    for rows, seeds in ((500, SEEDS), (2000, SEEDS)):
        for seed in seeds:
            for system in ("fine-tuned", "random init"):
                about = {"system": system, "train_rows": rows, "seed": seed}
                yield about, lambda about=about: _tuned(data, "test", about, RECIPE)


def reviews_ablations() -> Iterator[tuple[dict, callable]]:
    """Validation accuracy at 500 rows when one setting of the recipe changes, one seed."""
    data = reviews()
    changes = [{"learning_rate": 2e-5}, {"learning_rate": 4e-4}, {"trainable": "head"}, {"trainable": 2}, {"epochs": 1}]
    changes += [{"attention_dropout": 0.0}, {}]
    for seed in ABLATION_SEEDS:
        for change in changes:
            about = {"system": "fine-tuned", "train_rows": 500, "seed": seed, "change": change}
            yield about, lambda about=about: _tuned(data, "validation", about, RECIPE | about["change"])


EXPERIMENTS = {"reviews-curve": reviews_curve, "reviews-ablations": reviews_ablations}


def _classical(data, rows: int, seed: int) -> dict:
    train = subset(data["train"], rows, seed)
    return _scored(baselines.tfidf(train, data["choosing"], data["test"]), data["test"])


def _frozen(data, rows: int, seed: int) -> dict:
    train, parts = subset(data["train"], rows, seed), ("choosing", "test")
    features = [_embedded()["train"][train["place"]], *(_embedded()[part] for part in parts)]
    return _scored(baselines.regression(features, train, data["choosing"]), data["test"])


@cache
def _embedded() -> dict[str, np.ndarray]:
    """The frozen encoder's features of every split, shape (rows, D)."""
    tokenizer, body, data = models.tokenizer(), models.load(AutoModel), reviews()
    return {part: baselines.embed(body, tokenizer, data[part]["text"]) for part in ("train", "choosing", "test")}


def _tuned(data, split: str, about: dict, settings: dict) -> dict:
    task = Classification(tuple(data["train"].features["label"].names))
    tokenizer = models.tokenizer()
    model = task.build(pretrained=about["system"] != "random init", seed=about["seed"])
    recipe = Recipe(**settings, seed=about["seed"])
    train, held_out = subset(data["train"], about["train_rows"], about["seed"]), data[split]
    run = fit(task, model, tokenizer, train, data["choosing"], recipe)
    probabilities = task.predict(run.model, task.encode(tokenizer, held_out), pad_id=tokenizer.pad_token_id)
    cost = {"seconds": run.seconds, "rows_per_second": run.rows_per_second, "peak_memory_gb": run.peak_memory_gb}
    cost |= {"epoch": run.best["epoch"], "precision": run.precision, "recipe": recipe.to_dict()}
    return _scored(probabilities, held_out) | cost | {"split": split}


def _scored(probabilities: np.ndarray, held_out) -> dict:
    right = probabilities.argmax(-1) == np.array(held_out["label"])
    return {"accuracy": float(right.mean()), "n": len(right), "correct": right}


def _done(experiment: str) -> list[dict]:
    try:
        return ledger.read(experiment).to_dict("records")
    except InputError:
        return []


def run(experiment: str) -> None:
    """Compute what the ledger lacks of one experiment, cheapest first as its function yields them."""
    card = corpora.load("reviews").card
    for about, compute in EXPERIMENTS[experiment]():
        if any(all(row.get(key) == value for key, value in about.items()) for row in _done(experiment)):
            continue
        began = time.perf_counter()
        result = compute()
        origin = {
            "data": card.name,
            "data_sha256": card.sha256[:12],
            "model_sha256": assets.assets()["encoder"].sha256[:12],
        }
        ledger.record(RESULTS, experiment, **about, **result, **origin)
        print(f"{experiment} {about} {result['accuracy']:.3f} ({time.perf_counter() - began:.0f} s)", flush=True)


def main() -> None:
    """Read the command line and compute."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("experiments", nargs="*", help=f"of {', '.join(EXPERIMENTS)}")
    parser.add_argument("--anew", action="store_true", help="delete old results first")
    arguments = parser.parse_args()
    RESULTS.mkdir(exist_ok=True)
    ledger.provenance(RESULTS)  # before anything is edited
    for experiment in arguments.experiments or EXPERIMENTS:
        if arguments.anew:
            (RESULTS / f"{experiment}.jsonl").unlink(missing_ok=True)
        run(experiment)


if __name__ == "__main__":
    main()
