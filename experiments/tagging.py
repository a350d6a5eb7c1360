"""Names in the Brown corpus: does a CRF help on top of a pretrained encoder, with few and many sentences?"""

from collections.abc import Iterator

import numpy as np

from experiments import recording
from helpers import Recipe, Tagging, corpora, fit, models, sample
from helpers.corpora.brown import TAGS
from helpers.tasks.tagging import baselines

CORPUS, MODEL = "brown", "encoder"
SEEDS = range(5)
SIZES = (250, 1000)
HELD_OUT = ("in_genre", "test")
HELD_OUT_ROWS, CHOOSE_ON = 500, 200
RECIPE = {"learning_rate": 2e-4, "head_learning_rate": 1e-3, "batch_rows": 16, "attention_dropout": 0.0, "epochs": 3}


def brown() -> dict:
    """The splits; of the two held-out sets and of validation a part that is the same for all seeds."""
    data = corpora.load(CORPUS).data
    chosen = {name: sample(data[name], HELD_OUT_ROWS, 0) for name in HELD_OUT}
    return {"train": data["train"], "validation": sample(data["validation"], CHOOSE_ON, 0)} | chosen


def brown_crf() -> Iterator[tuple[dict, callable]]:
    """Span F1 of both heads and the classical baselines, on seen and unseen genres; five seeds."""
    data = brown()
    for rows in SIZES:
        for seed in SEEDS:
            for system in ("most frequent", "classical crf"):
                about = {"system": system, "train_rows": rows, "seed": seed}
                yield about, lambda about=about: _classical(data, about)
    for rows in SIZES:
        for seed in SEEDS:
            for system in ("softmax", "crf"):
                about = {"system": system, "train_rows": rows, "seed": seed}
                yield about, lambda about=about: _tuned(data, about)


EXPERIMENTS = {"brown-crf": brown_crf}


def _classical(data: dict, about: dict) -> dict:
    train = sample(data["train"], about["train_rows"], about["seed"])
    task = Tagging(TAGS)
    predictions = {}
    for name in HELD_OUT:
        if about["system"] == "most frequent":
            predictions[name] = baselines.most_frequent(train, data[name])
        else:
            predictions[name] = baselines.crfsuite(train, data["validation"], data[name], task)
    return _scored(task, {"": predictions}, data)


def _tuned(data: dict, about: dict) -> dict:
    task = Tagging(TAGS, about["system"])
    recipe = Recipe(**RECIPE, seed=about["seed"])
    train = sample(data["train"], about["train_rows"], about["seed"])
    run = fit(task, task.build(seed=about["seed"]), models.tokenizer(), train, data["validation"], recipe)
    decodings = {"": {}, " constrained": {}}
    for name in HELD_OUT:
        encoded = run.encode(data[name])
        emissions = task.infer(run.model, encoded)
        for suffix in decodings:
            decoder = Tagging(TAGS, about["system"], constrain=bool(suffix))
            decodings[suffix][name] = decoder.predictions(run.model, emissions, encoded)
    learned = {"transitions": run.model.crf.between.tolist()} if about["system"] == "crf" else {}
    return _scored(task, decodings, data) | recording.cost(run) | learned


def _scored(task: Tagging, decodings: dict, data: dict) -> dict:
    """Span F1 by held-out set and decoding, and the counts of both sets' rows, one set after the other, (N, 3) each."""
    result, counts = {}, []
    for suffix, predictions in decodings.items():
        for name in HELD_OUT:
            true = [np.array(row) for row in data[name]["tags"]]
            counts.append(task.per_row(predictions[name], true))
            result[f"{name}{suffix}"] = float(task.from_counts(counts[-1].sum(0)))
    stacked = np.concatenate(counts[: len(HELD_OUT)])
    if len(decodings) > 1:
        stacked = np.concatenate([stacked, np.concatenate(counts[len(HELD_OUT) :])], axis=1)  # (N, 6)
    return result | {"n": len(stacked), "rows_of": list(HELD_OUT), "counts": stacked}
