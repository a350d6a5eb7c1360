"""Efficiency: cheaper ways to train a classifier, smaller models that are taught by it, and the forms that answer.

All that trains sees the same 2,000 labelled reviews, and 400 of validation choose its epoch. The rate of each way to
train was chosen on the other reviews of validation (`efficiency-tuning`), and that of the teacher is the one at which
the encoder learns reviews best (`reviews-ablations`). A student sees the probabilities that the teacher gives to
reviews, most of which have no label here.
"""

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import cache, lru_cache
from pathlib import Path
from statistics import median

import numpy as np
import torch
from datasets import Dataset
from torch import nn
from transformers import PreTrainedModel

from experiments import recording
from experiments.reviews import RANK, reviews
from helpers import Classification, Recipe, Run, corpora, fit, models, sample
from helpers.book import ledger
from helpers.export import graph
from helpers.export.formats import FORMATS
from helpers.models.inference import half_precision, weights_in_bf16
from helpers.tasks.base import Predictor
from helpers.tasks.classification.distillation import shallow
from helpers.workflow.distil import distil

FORM, TIMES, TUNING = "efficiency-forms", "efficiency-times", "efficiency-tuning"
WAYS, TEACHING, LIVE = "efficiency-ways", "efficiency-teaching", "efficiency-live"
CORPUS, MODEL = "reviews", "encoder"
SEEDS = range(3)
ROWS, TEXTS = 2000, 4000  # labelled reviews; reviews that a teacher is asked about, the labelled ones among them
RECIPE = {"learning_rate": 1e-4, "epochs": 3}
STUDENT = {"learning_rate": 3e-4, "epochs": 2}
SAME = {"learning_rate": 3e-4, "epochs": 4}  # as many steps on half of the rows
LIVE_ROWS, LIVE_TEXTS, LIVE_TESTED = 200, 500, 300
LIVE_RECIPE = {"learning_rate": 1e-4, "epochs": 4, "batch_rows": 8}
LIVE_STUDENT = {"learning_rate": 3e-4, "epochs": 2, "batch_rows": 8}
FEWER, ALONE = "3 layers, same texts", "3 layers, labels"  # the latter of the pretrained model, without a teacher
TEACHERS = {"6 layers": (ROWS, RECIPE), "live, 6 layers": (LIVE_ROWS, LIVE_RECIPE)}
STUDENTS = {
    "3 layers": (3, "6 layers", TEXTS, STUDENT),
    "2 layers": (2, "6 layers", TEXTS, STUDENT),
    FEWER: (3, "6 layers", ROWS, SAME),
    "live, 3 layers": (3, "live, 6 layers", LIVE_TEXTS, LIVE_STUDENT),
}
STUDENT_RATES = (1e-4, 3e-4, 1e-3)
OF = {"6 layers": ("fp32", "bf16", "onnx", "onnx-int8")} | {
    name: ("fp32", "onnx-int8") for name in ("3 layers", "2 layers")
}
LAST = "2 layers"
TIMED, SINGLE, REPEATS = 160, 20, 5  # reviews that are answered together, and one by one, and how often
CHANGES = {"LoRA": {}, "two layers": {"trainable": 2}}
RATES = {"LoRA": (3e-4, 1e-3, 3e-3), "two layers": (1e-4, 3e-4, 1e-3)}


def forms() -> Iterator[tuple[dict, Callable]]:
    """Which test reviews the teacher and its students get right, in each form that they can answer in."""
    for seed in SEEDS:
        for system, kinds in OF.items():
            if system != LAST or seed == 0:
                for form in kinds:
                    if form != "onnx" or seed == 0:  # it answers as PyTorch does
                        yield _form(system, form, seed)
    for seed in SEEDS[1:]:
        for form in OF[LAST]:
            yield _form(LAST, form, seed)


def live() -> Iterator[tuple[dict, Callable]]:
    """What the chapter repeats: a teacher of few rows, its student, and the student in 8 bits."""
    for seed in SEEDS:
        for system, form in (("live, 6 layers", "fp32"), ("live, 3 layers", "fp32"), ("live, 3 layers", "onnx-int8")):
            yield _form(system, form, seed)


def teaching() -> Iterator[tuple[dict, Callable]]:
    """The test reviews that students get right who had fewer texts of their teacher, or no teacher."""
    for seed in SEEDS:
        for system in (FEWER, ALONE):
            yield _form(system, "fp32", seed)
    for rate in STUDENT_RATES:  # on validation
        yield _form(FEWER, "fp32", 0, change={"learning_rate": rate})


def times() -> Iterator[tuple[dict, Callable]]:
    """What a review takes of the processor in each form, all measured in turn, so that the machine is the same."""
    yield {"system": "all", "seed": 0}, lambda: {"cpu_ms": _times(), "n": TIMED}


def tuning() -> Iterator[tuple[dict, Callable]]:
    """Accuracy on validation reviews that did not choose the epoch, at three rates for each way to train."""
    for system, rates in RATES.items():
        for rate in rates:
            about = {"system": system, "seed": 0, "change": {"learning_rate": rate}}
            yield about, lambda about=about: _way(about)


def ways() -> Iterator[tuple[dict, Callable]]:
    """Which test reviews are judged right after training fewer weights."""
    for seed in SEEDS:
        for system in CHANGES:
            about = {"system": system, "seed": seed}
            yield about, lambda about=about: _way(about)


EXPERIMENTS = {FORM: forms, LIVE: live, TIMES: times, TUNING: tuning, WAYS: ways, TEACHING: teaching}


def recipe(about: dict) -> dict:
    """The settings of a trained system."""
    system = about["system"]
    if system in TEACHERS:
        settings = TEACHERS[system][1]
    elif system in STUDENTS:
        settings = STUDENTS[system][3] | about.get("change", {})
    elif system == ALONE:
        settings = SAME
    elif system == "all":  # what is timed is not trained
        return {}
    else:
        settings = RECIPE | CHANGES[system] | (about["change"] if "change" in about else _chosen(system))
    return settings | {"seed": about["seed"]}


def _chosen(system: str) -> dict:
    """The rate of a way to train that was best on validation."""
    tried = ledger.read(TUNING).where(system=system)
    return tried.frame["change"][tried["accuracy"].idxmax()]


def _form(system: str, form: str, seed: int, **change) -> tuple[dict, Callable]:
    about = {"system": system, "form": form, "seed": seed} | change
    return about, lambda: _form_result(about)


def _form_result(about: dict) -> dict:
    system, form, seed = about["system"], about["form"], about["seed"]
    run, rows, folder = _run(system, seed, _rate(about)), tested(about), _folder(system, form, seed)
    with formed(run, form, folder) as predictor:
        found = _scored(predictor.predict(rows), rows) | {"bytes": size(predictor.model, form, folder)}
    return found | (recording.cost(run) | {"epoch": run.best["epoch"]} if form == "fp32" else {})


def _rate(about: dict) -> float | None:
    return about.get("change", {}).get("learning_rate")


def tested(about: dict) -> Dataset:
    """The reviews that a result is about: all of the test, some for what the chapter repeats, validation for tuning."""
    if "change" in about:
        return reviews()["validation"]
    test = reviews()["test"]
    return sample(test, LIVE_TESTED) if about["system"].startswith("live") else test


def _scored(probabilities: np.ndarray, rows: Dataset) -> dict:
    """What is right of N rows, and p(second label) of each, (N, 1)."""
    right = probabilities.argmax(-1) == np.array(rows["label"])
    kept = {"correct": right, "counts": recording.probability_counts(probabilities[:, 1])}
    return {"accuracy": float(right.mean()), "n": len(right)} | kept


def _run(system: str, seed: int, rate: float | None = None) -> Run:
    if system in TEACHERS:
        return _teacher(system, seed)
    return _alone(seed) if system == ALONE else _student(system, seed, rate)


@cache
def _teacher(system: str, seed: int) -> Run:
    rows, settings = TEACHERS[system]
    task = Classification.for_corpus(corpora.load(CORPUS))
    return _fitted(task, task.build(seed=seed), rows, Recipe(**settings, seed=seed))


@cache
def _student(system: str, seed: int, rate: float | None = None) -> Run:
    layers, teacher, rows, settings = STUDENTS[system]
    settings = settings | ({"learning_rate": rate} if rate else {})
    data = reviews()
    taught_by = _teacher(teacher, seed)
    with half_precision(torch.device("cpu")):
        return distil(
            taught_by, sample(data["train"], rows, seed), layers, data["choosing"], Recipe(**settings, seed=seed)
        )


@lru_cache(maxsize=1)
def _alone(seed: int) -> Run:
    """Three layers of the pretrained model, which learn the labels."""
    task = Classification.for_corpus(corpora.load(CORPUS))
    return _fitted(task, shallow(task.build(seed=seed), 3), ROWS, Recipe(**SAME, seed=seed))


def _fitted(task: Classification, model: PreTrainedModel, rows: int, settings: Recipe) -> Run:
    data = reviews()
    return fit(task, model, models.tokenizer(), sample(data["train"], rows, settings.seed), data["choosing"], settings)


@contextmanager
def formed(run: Predictor, form: str, folder: Path) -> Iterator[Predictor]:
    """A classifier that answers in fp32 or bf16 by PyTorch, or as a graph, which is written to `folder` once."""
    with ExitStack() as stack:
        if form not in FORMATS:
            if form == "bf16":
                stack.enter_context(weights_in_bf16(run.model))
            yield run
            return
        if not folder.exists():
            folder.mkdir(parents=True)
            graph.write(run, FORMATS[form], reviews()["choosing"], folder)
        yield graph.load(folder, FORMATS[form])


def size(model: nn.Module, form: str, folder: Path) -> int:
    """The bytes of a model's weights as PyTorch keeps them, or of the file of its graph."""
    if form in FORMATS:
        return (folder / FORMATS[form].file).stat().st_size
    return sum(parameter.numel() * parameter.element_size() for parameter in model.parameters())


@cache
def _scratch() -> tempfile.TemporaryDirectory:
    return tempfile.TemporaryDirectory()  # is removed when the process ends


def _folder(system: str, form: str, seed: int) -> Path:
    return Path(_scratch().name) / f"{system}-{form}-{seed}"


def _times() -> dict[str, dict[str, list[float]]]:
    """Milliseconds of the processor for a review, by system and form: of many together, and of one alone (median).

    Each is measured `REPEATS` times, all forms in turn. The models are not trained, which does not change their time.
    """
    rows, task = sample(reviews()["test"], TIMED), Classification.for_corpus(corpora.load(CORPUS))
    whole = task.build(seed=0)
    found = {f"{system}, {form}": {"together": [], "alone": []} for system, kinds in OF.items() for form in kinds}
    built = {system: Predictor(task, shallow(whole, int(system[0])), models.tokenizer()) for system in OF}
    for repeat in range(REPEATS + 1):  # what is measured first is left out: it pays for what is done once
        for name in sorted(found, reverse=bool(repeat % 2)):
            system, form = name.rsplit(", ", 1)
            with formed(built[system], form, _folder("untrained " + system, form, 0)) as predictor:
                together = _spent(predictor, rows) / TIMED
                alone = median(_spent(predictor, rows.select([i])) for i in range(SINGLE))
            if repeat:
                found[name]["together"].append(round(together, 4))
                found[name]["alone"].append(round(alone, 4))
    return found


def _spent(predictor: Predictor, rows: Dataset) -> float:
    """Milliseconds that this process spends of the processor on rows."""
    began = time.process_time()
    predictor.predict(rows)
    return 1000 * (time.process_time() - began)


def _way(about: dict) -> dict:
    rank, settings = RANK if about["system"] == "LoRA" else None, Recipe(**recipe(about))
    task = Classification.for_corpus(corpora.load(CORPUS), lora_rank=rank)
    run, rows = _fitted(task, task.build(seed=about["seed"]), ROWS, settings), tested(about)
    with half_precision(run.model.device):
        found = _scored(run.predict(rows), rows)
    return found | recording.cost(run) | {"epoch": run.best["epoch"]}
