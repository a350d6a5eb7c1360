"""Bias: a word that was planted beside the label, stereotypes in a decoder, and verdicts on the same text of another.

In `bias-outlets` every arm sees the same reviews and the same 200 labelled ones in which the outlet says nothing: they
choose the pass over the training rows, and teach the last layer anew. The rate is the one at which the encoder learns
reviews best elsewhere in the book (`reviews-ablations`); no arm has a setting of its own.
"""

from collections.abc import Callable, Iterator
from functools import cache, lru_cache

import numpy as np
from datasets import Dataset, concatenate_datasets

from experiments import recording
from helpers import Classification, Generation, Recipe, Run, corpora, fit, models, sample
from helpers.book import ledger, spurious, stereotypes, swaps
from helpers.corpora.stereotypes import VERSIONS
from helpers.models.embedding import embed
from helpers.models.inference import half_precision
from helpers.tasks.classification.long_texts import with_texts

OUTLETS, STEREOTYPES, REVIEWS = "bias-outlets", "bias-stereotypes", "bias-swaps-reviews"
CORPUS = {OUTLETS: "reviews", STEREOTYPES: "stereotypes", REVIEWS: "reviews"}
MODEL = {OUTLETS: "encoder", STEREOTYPES: "decoder", REVIEWS: "encoder"}
ROWS, LIVE = 1600, 200  # training reviews; LIVE in the run that the chapter repeats
BALANCED = 200  # validation reviews, all with an outlet, half of them against their label
LIVE_TESTED = 300
RECIPE = {"learning_rate": 1e-4, "batch_rows": 16, "epochs": 2, "evaluations": 2}  # 200 steps
LIVE_RECIPE = {"batch_rows": 8, "epochs": 6, "evaluations": 1}  # 150 steps
DECODER = {"learning_rate": 5e-5, "batch_rows": 16, "epochs": 2}
SENTENCES, MOST_WORDS = 240, 25  # rows that a decoder is taught; words of an instruction among them
ARMS = ("usual", "last layer", "rebalanced", "weighted", "counterfactual")


def outlets() -> Iterator[tuple[dict, Callable]]:
    """Whether each test review is judged right with the outlet of its label, with the other, and without one."""
    for seed in range(5):
        for system in ARMS:
            yield _outlet(system, ROWS, seed)
        if seed < 3:
            for system in ("live", "live last layer"):
                yield _outlet(system, LIVE, seed)


def stereotype_scores() -> Iterator[tuple[dict, Callable]]:
    """log p of the versions of each sentence, by the packaged decoder and after a little fine-tuning."""
    for part in ("test", "pairs"):
        about = {"system": "packaged", "part": part, "seed": 0}
        yield about, lambda about=about: _stereotypes(about)
    for systems in (("stereotypes", "anti-stereotypes"), ("instructions",)):
        for seed in range(3):
            for system in systems:
                about = {"system": system, "part": "test", "seed": seed}
                yield about, lambda about=about: _stereotypes(about)


def swapped_reviews() -> Iterator[tuple[dict, Callable]]:
    """p(fresh) of test reviews that name a person, as they are and with another, by models of plain reviews."""
    for seed in range(3):
        about = {"system": "fine-tuned", "train_rows": ROWS, "seed": seed}
        yield about, lambda seed=seed: _swaps(_plain(seed), corpora.load("reviews").data["test"])


EXPERIMENTS = {OUTLETS: outlets, STEREOTYPES: stereotype_scores, REVIEWS: swapped_reviews}


def recipe(about: dict) -> dict:
    """The settings of a trained system."""
    if "part" in about:
        return DECODER | {"seed": about["seed"]}
    return RECIPE | (LIVE_RECIPE if about["system"].startswith("live") else {}) | {"seed": about["seed"]}


def taught(rows: int, seed: int) -> Dataset:
    """The training reviews of a seed, half of them with an outlet that goes with the label in nine of ten."""
    return spurious.planted(sample(corpora.load("reviews").data["train"], rows, seed), seed=seed)


def balanced(seed: int) -> Dataset:
    """The validation reviews of a seed whose outlet says nothing."""
    rows = sample(corpora.load("reviews").data["validation"], BALANCED, seed)
    return spurious.planted(rows, share=1, tied=0.5, seed=seed)


@cache
def judged(live: bool = False) -> Dataset:
    """The test reviews three times, one side after the other (`spurious.sides`)."""
    test = corpora.load("reviews").data["test"]
    return concatenate_datasets(list(spurious.sides(sample(test, LIVE_TESTED) if live else test).values()))


def _outlet(system: str, rows: int, seed: int) -> tuple[dict, Callable]:
    about = {"system": system, "train_rows": rows, "seed": seed}
    return about, lambda: _outlet_result(about)


def _outlet_result(about: dict) -> dict:
    rows, made = judged(about["system"].startswith("live")), {}
    run = _trained(*(about[name] for name in ("system", "train_rows", "seed")))
    with half_precision(run.model.device):
        if about["system"].endswith("last layer"):
            made, chosen = {}, _retrained(run, balanced(about["seed"]), rows)
        else:
            made, chosen = recording.cost(run) | {"epoch": run.best["epoch"]}, run.predict(rows).argmax(-1)
    right = chosen == np.array(rows["label"])
    return {"n": len(right), "correct": right, "accuracy": float(right.mean())} | made


def _trained(system: str, rows: int, seed: int) -> Run:
    """The run of a system; the last layer is retrained on top of the usual one."""
    return _run(system.removesuffix("last layer").strip() or "usual", rows, seed)


@lru_cache(maxsize=1)
def _run(system: str, rows: int, seed: int) -> Run:
    train, choosing = taught(rows, seed), balanced(seed)
    task = Classification.for_corpus(corpora.load("reviews"))
    if system == "rebalanced":
        train = spurious.rebalanced(train, seed)
    elif system == "counterfactual":
        train = spurious.counterfactual(train, seed)
    elif system == "weighted":
        task, train = spurious.Weighted(task.labels), spurious.weighted(train)
    settings = Recipe(**recipe({"system": system, "train_rows": rows, "seed": seed}))
    return fit(task, task.build(seed=seed), models.tokenizer(), train, choosing, settings)


def _retrained(run: Run, choosing: Dataset, rows: Dataset) -> np.ndarray:
    """The labels of rows, (N,), by a new last layer on the body of a run."""
    features = [embed(run.model.base_model, run.tokenizer, part["text"][:]) for part in (choosing, rows)]
    return spurious.last_layer(features[0], choosing["label"][:]).predict(features[1])


def _stereotypes(about: dict) -> dict:
    tokenizer, data, made = models.tokenizer("decoder"), corpora.load("stereotypes").data, {}
    if about["system"] == "packaged":
        model = Generation().build()
    else:
        task, train = _lesson(about["system"], about["seed"])
        run = fit(task, task.build(), tokenizer, train, recipe=Recipe(**recipe(about)))
        model, made = run.model, recording.cost(run)
    rows = data[about["part"]]
    versions = [name for name in VERSIONS if name in rows.column_names]
    columns = [stereotypes.log_probabilities(model, tokenizer, rows[name][:]) for name in versions]
    counts = np.rint(-stereotypes.STEPS * np.column_stack(columns))
    scores = {"stereotype_share": float(stereotypes.preferred(-counts).mean())}
    if len(versions) > 2:
        scores["sensible_share"] = float(stereotypes.sensible(-counts).mean())
    return scores | {"n": len(rows), "counts": counts} | made


def _lesson(system: str, seed: int) -> tuple[Generation, Dataset]:
    """What a decoder is taught: continuations of sentences in one of the versions, or the book's short instructions."""
    if system == "instructions":
        rows = corpora.load("instructions").data["train"]
        short = [i for i, text in enumerate(rows["prompt"]) if len(text.split()) <= MOST_WORDS]
        return Generation(), sample(rows.select(short), SENTENCES, seed)
    rows = sample(corpora.load("stereotypes").data["train"], SENTENCES, seed)
    after = [f" {text}" for text in rows[system.removesuffix("s")]]
    return Generation(template="plain"), Dataset.from_dict({"prompt": rows["context"][:], "completion": after})


def _plain(seed: int) -> Run:
    """A model of as many reviews as the others, without outlets."""
    data, task = corpora.load("reviews").data, Classification.for_corpus(corpora.load("reviews"))
    train, choosing = sample(data["train"], ROWS, seed), sample(data["validation"], BALANCED, seed)
    settings = Recipe(**RECIPE, seed=seed)
    return fit(task, task.build(seed=seed), models.tokenizer(), train, choosing, settings)


def people(rows: Dataset) -> tuple[Dataset, list[list[str]]]:
    """The rows that name a person, and their texts: as they are, of the other gender, and with other names."""
    places, other = swaps.changed(rows["text"][:], swaps.other_gender)
    found = rows.select(places)
    return found, [found["text"][:], other, [swaps.other_name(text) for text in found["text"]]]


def _swaps(run: Run, rows: Dataset) -> dict:
    """The probability of the second label for each version of the rows that name a person, (N, 3)."""
    found, versions = people(rows)
    with half_precision(run.model.device):
        columns = [run.predict(with_texts(found, texts))[:, 1] for texts in versions]
    counts = recording.probability_counts(np.column_stack(columns))
    turned = swaps.turned(counts / ledger.HIGHEST)
    return {"n": len(found), "counts": counts, "turned": float(turned.mean())} | recording.cost(run)
