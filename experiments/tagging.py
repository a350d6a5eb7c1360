"""Names in the Brown corpus: does a CRF help on top of a pretrained encoder, and how often is BIO broken without it?"""

from collections.abc import Iterator

import numpy as np
import torch

from experiments import recording
from helpers import Recipe, Run, Tagging, corpora, fit, models, sample
from helpers.corpora.brown import TAGS
from helpers.maths import crf
from helpers.tasks.tagging import baselines

CORPUS, MODEL = "brown", "encoder"
SEEDS = range(5)
SIZES = (250, 1000)
HELD_OUT = ("in_genre", "test")
HELD_OUT_ROWS, CHOOSE_ON = 500, 200
LARGEST, FEWER_SEEDS = 4000, range(3)  # sentences, in 750 steps
LONGER = {"epochs": 12}  # 192 steps with the fewest sentences; three passes over a thousand are 189
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


def brown_illegal() -> Iterator[tuple[dict, callable]]:
    """How often the softmax head, which knows no rules, breaks those of BIO in each sentence; five seeds."""
    data = brown()
    for rows in SIZES:
        for seed in SEEDS:
            about = {"system": "softmax", "train_rows": rows, "seed": seed}
            yield about, lambda about=about: _illegal(data, about)


def brown_more() -> Iterator[tuple[dict, callable]]:
    """Span F1 with four times the sentences, three seeds, and with the fewest in the steps of a thousand, five."""
    data = brown()
    for seed in SEEDS:
        about = {"system": "softmax", "train_rows": SIZES[0], "seed": seed, "change": LONGER}
        yield about, lambda about=about: _tuned(data, about)
    for seed in FEWER_SEEDS:
        for system, score in SYSTEMS.items():
            about = {"system": system, "train_rows": LARGEST, "seed": seed}
            yield about, lambda score=score, about=about: score(data, about)


EXPERIMENTS = {"brown-crf": brown_crf, "brown-illegal": brown_illegal, "brown-more": brown_more}


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


def _run(data: dict, about: dict) -> Run:
    task, seed = Tagging(TAGS, about["system"]), about["seed"]
    settings = Recipe(**RECIPE | about.get("change", {}), seed=seed)
    train = sample(data["train"], about["train_rows"], seed)
    return fit(task, task.build(seed=seed), models.tokenizer(), train, data["validation"], settings)


def _illegal(data: dict, about: dict) -> dict:
    """Steps into I that follow neither B nor I, in each sentence of both held-out sets, (N, 1)."""
    run = _run(data, about)
    allowed = crf.bio_allowed(TAGS)
    counts = []
    for tags in (row for name in HELD_OUT for row in run.predict(data[name])):
        steps = torch.as_tensor(tags)
        broken = (~allowed.between[steps[:-1], steps[1:]]).sum() + ~allowed.start[steps[0]]
        counts.append([int(broken)])
    return {"n": len(counts), "rows_of": list(HELD_OUT), "counts": counts} | recording.cost(run)


def _tuned(data: dict, about: dict) -> dict:
    run = _run(data, about)
    task = run.task
    decodings = {"": {}, " constrained": {}}
    for name in HELD_OUT:
        encoded = run.encode(data[name])
        emissions = task.infer(run.model, encoded)
        for suffix in decodings:
            decoder = Tagging(TAGS, about["system"], constrain=bool(suffix))
            decodings[suffix][name] = decoder.predictions(run.model, emissions, encoded)
    learned = {"transitions": run.model.crf.between.tolist()} if about["system"] == "crf" else {}
    return _scored(task, decodings, data) | recording.cost(run) | learned


SYSTEMS = {"most frequent": _classical, "classical crf": _classical, "softmax": _tuned, "crf": _tuned}


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
