"""Film reviews: accuracy over training-set size, with and without pretraining, and ablations of the recipe.

What was never pretrained trains for as long as `LONG` says, at the best of three rates for each size, and the epoch is
kept that is best on the rows that choose. A decoder, which has seen no pairs of texts that people labelled before its
instructions, trains with LoRA, at the best of three rates as well.
"""

from collections.abc import Callable, Iterator
from functools import cache

import numpy as np
from datasets import Dataset, DatasetDict
from transformers import AutoModel

from experiments import recording, searching
from helpers import Classification, Recipe, Run, corpora, fit, models, sample
from helpers.models.embedding import embed
from helpers.models.inference import half_precision
from helpers.tasks.classification import baselines

CURVE, ABLATIONS, DECODER, SCRATCH_RATES = (f"reviews-{name}" for name in ("curve", "ablations", "decoder", "rates"))
CORPUS, MODEL = "reviews", dict.fromkeys((CURVE, ABLATIONS, SCRATCH_RATES), "encoder") | {DECODER: "decoder"}
SEEDS, FEWER_SEEDS = range(5), range(3)
SIZES = (125, 500, 2000, 6000, None)  # None is all rows
RECIPE = {"learning_rate": 1e-4, "epochs": 3}
STEPS = {125: {"batch_rows": 16, "epochs": 20}}  # three passes over so few rows are a dozen steps
LONG = {"epochs": 15}
SCRATCH, SCRATCH_SIZES = "random init", (500, 2000)
SEARCHED, RATES = 500, (1e-4, 2e-4, 4e-4)
RANK, DECODED = 8, {500: {"batch_rows": 16, "epochs": 5}, 2000: {"batch_rows": 32, "epochs": 3}}
DECODER_RATES = (3e-4, 6e-4, 1.2e-3)
CHOOSE_ON = 400  # validation rows that choose; the rest of validation is what ablations are scored on


@cache
def reviews() -> DatasetDict:
    """The reviews with `choosing`, the part of validation that chooses, and `validation`, the rest of it."""
    data = corpora.load("reviews").data
    shuffled = sample(data["validation"], len(data["validation"]))
    data["train"] = data["train"].add_column("place", list(range(len(data["train"]))))
    data["choosing"] = shuffled.select(range(CHOOSE_ON))
    data["validation"] = shuffled.select(range(CHOOSE_ON, len(shuffled)))
    return data


def scratch_rates() -> Iterator[tuple[dict, Callable]]:
    """The rate of what was never pretrained, by size: the one that suits fewer rows is not always stable with more."""
    for rows in SCRATCH_SIZES:
        about = {"system": "search", "train_rows": rows, "seed": 0}
        yield about, lambda rows=rows: _search(SCRATCH, RATES, rows)


def reviews_curve() -> Iterator[tuple[dict, Callable]]:
    """Test accuracy over training-set size: classical, frozen, randomly initialised, fine-tuned; up to five seeds."""
    everything = len(reviews()["train"])
    for size in SIZES:
        for seed in SEEDS if size else SEEDS[:1]:  # of all rows nothing is drawn
            for system, score in (("tf-idf", _classical), ("frozen", _frozen)):
                about = {"system": system, "train_rows": size or everything, "seed": seed}
                yield about, lambda score=score, about=about: score(about)
    for seed in SEEDS:
        for system, sizes in (("fine-tuned", SIZES), (SCRATCH, SCRATCH_SIZES)):
            for size in sizes:
                about = {"system": system, "train_rows": size or everything, "seed": seed}
                yield about, lambda about=about: _tuned("test", about)


def reviews_ablations() -> Iterator[tuple[dict, Callable]]:
    """Validation accuracy at 500 rows when a setting of the recipe changes, or two that make up for each other.

    Three seeds. Twelve epochs of 128 rows a step are as many steps as three of 32.
    """
    changes = [{"learning_rate": 2e-5}, {"learning_rate": 4e-4}, {"trainable": "head"}, {"trainable": 2}, {"epochs": 1}]
    changes += [{"attention_dropout": 0.0}, {"batch_rows": 128}, {}, {"epochs": 6}, {"epochs": 10}]
    changes += [{"learning_rate": 2e-5, "epochs": 10}, {"batch_rows": 128, "epochs": 12}]
    for seed in FEWER_SEEDS:
        for change in changes:
            about = {"system": "fine-tuned", "train_rows": 500, "seed": seed, "change": change}
            yield about, lambda about=about: _tuned("validation", about)


def reviews_decoder() -> Iterator[tuple[dict, Callable]]:
    """Test accuracy of the decoder with a new layer for labels, and LoRA matrices beside the others; three seeds."""
    about = {"system": "search", "train_rows": SEARCHED, "seed": 0}
    yield about, lambda: _search("decoder", DECODER_RATES, SEARCHED)
    for rows in DECODED:
        for seed in FEWER_SEEDS:
            about = {"system": "decoder", "train_rows": rows, "seed": seed}
            yield about, lambda about=about: _tuned("test", about)


EXPERIMENTS = {
    SCRATCH_RATES: scratch_rates,
    CURVE: reviews_curve,
    ABLATIONS: reviews_ablations,
    DECODER: reviews_decoder,
}


def recipe(about: dict) -> dict:
    """The settings of a trained system, with the rate that its search chose once that is recorded."""
    system, rows, chosen = about["system"], about["train_rows"], {"seed": about["seed"]}
    if system == "fine-tuned":
        return RECIPE | STEPS.get(rows, {}) | about.get("change", {}) | chosen
    lengths = {SCRATCH: LONG, "decoder": DECODED.get(rows)}
    if system not in lengths:
        return {}
    return lengths[system] | chosen | _rate(about)


def _classical(about: dict) -> dict:
    data, train = reviews(), _drawn(about)
    return scored(baselines.tfidf(train, data["choosing"], data["test"]), data["test"])


def _frozen(about: dict) -> dict:
    data, train, parts = reviews(), _drawn(about), ("choosing", "test")
    features = [_embedded()["train"][train["place"]], *(_embedded()[part] for part in parts)]
    return scored(baselines.regression(features, train, data["choosing"]), data["test"])


def _drawn(about: dict) -> Dataset:
    return sample(reviews()["train"], about["train_rows"], about["seed"])


@cache
def _embedded() -> dict[str, np.ndarray]:
    """The frozen encoder's features of every split, shape (rows, D)."""
    tokenizer, body, data = models.tokenizer(), models.load(AutoModel), reviews()
    return {part: embed(body, tokenizer, data[part]["text"]) for part in ("train", "choosing", "test")}


def _tuned(split: str, about: dict) -> dict:
    held_out = reviews()[split]
    with recording.Watch() as watch:
        run = _trained(about["system"], about, searching.complete(recipe(about)))
    with half_precision(run.model.device):
        answers = run.predict(held_out)
    return scored(answers, held_out) | recording.cost(run, watch) | {"epoch": run.best["epoch"], "split": split}


def _rate(about: dict) -> dict:
    """The rate that a search chose for a system; the decoder has one for both of its sizes."""
    name, rows = (DECODER, SEARCHED) if about["system"] == "decoder" else (SCRATCH_RATES, about["train_rows"])
    return searching.chosen(name, "learning_rate", system="search", train_rows=rows)


def _trained(system: str, about: dict, settings: Recipe) -> Run:
    """The system of that name on the rows of a size and a seed, with the epoch that is best on those that choose."""
    data, role = reviews(), "decoder" if system == "decoder" else "encoder"
    labels, rank = tuple(data["train"].features["label"].names), RANK if role == "decoder" else None
    task = Classification(labels, lora_rank=rank)
    model = task.build(role, pretrained=system != SCRATCH, seed=settings.seed)
    return fit(task, model, models.tokenizer(role), _drawn(about), data["choosing"], settings)


def _search(system: str, rates: tuple[float, ...], rows: int) -> dict:
    """The rate that suits the rows that choose, for the first draw of some reviews."""
    about = {"system": system, "train_rows": rows, "seed": 0}
    start = Recipe(**recipe(about))

    def compute(tried: Recipe) -> tuple[float, int]:
        run = _trained(system, about, tried)
        return run.best["validation_accuracy"], len(run.history)

    return searching.found(compute, start, rates, metric="accuracy", rows=CHOOSE_ON)


def scored(probabilities: np.ndarray, held_out) -> dict:
    """The accuracy of predictions, (N, C), and which of them are right."""
    right = probabilities.argmax(-1) == np.array(held_out["label"])
    return {"accuracy": float(right.mean()), "n": len(right), "correct": right}
