"""Chinese reviews by what a system can read of them: characters, the pieces of 100 languages, or those of English.

All systems get the same part of each review, its first `READ` characters, and the same validation rows to choose on:
how much a regression is regularised, and at which rate, of three at `SEARCHED` reviews, an encoder trains. Encoders
train their upper four layers, and `whole`, at a rate of its own search, all of its weights. The list of pieces, four
fifths of the multilingual encoder's weights, else stays as it is.
"""

from collections.abc import Callable, Iterable, Iterator
from functools import cache

import numpy as np
from datasets import Dataset
from sklearn.feature_extraction.text import TfidfVectorizer
from transformers import AutoModel

from experiments import recording, searching
from helpers import Classification, Recipe, Run, corpora, fit, models, sample
from helpers.models.embedding import embed
from helpers.models.inference import half_precision
from helpers.tasks.classification import baselines
from helpers.tasks.classification.long_texts import with_texts

NAME, ENGLISH, CORPUS = "chinese-reviews", "chinese-english", "chinese"
MODEL = {NAME: "multilingual", ENGLISH: "encoder"}
READ = 64  # characters of a review that all systems get: three of five reviews whole
CHOOSE_ON = 400  # validation reviews
SIZES = (250, 1000, 4000, 12000)
COUNTED = ("tf-idf", "tf-idf of words", "frozen")
DRAWS = {250: 10, 1000: 10, 4000: 3, 12000: 3}  # of what costs little; three of what trains
SEARCHED, RATES = 250, (1e-4, 2e-4, 4e-4)
LAYERS = 4  # that are trained, the uppermost
WHOLE, WHOLE_ROWS = "whole", 1000  # the multilingual encoder with all of its weights trained
SEARCH = {WHOLE: ("search of whole", (5e-5, 1e-4, 2e-4))}  # else "search" at RATES
LENGTHS = {
    1000: {"batch_rows": 16, "epochs": 5},  # 315 steps
    250: {"batch_rows": 8, "epochs": 5},  # 160
    4000: {"batch_rows": 16, "epochs": 2},  # 500
    12000: {"batch_rows": 16, "epochs": 1},  # 750
}
LIVE = {"batch_rows": 4, "epochs": 3}  # of the run that the chapter repeats: 189 steps
TESTED = 1000  # test reviews that trained systems are judged on; the others are judged on all


def multilingual() -> Iterator[tuple[dict, Callable]]:
    """Accuracy by system, size and seed of counted characters and words, and of the multilingual encoder."""
    for rows in SIZES:
        for system in COUNTED:
            for seed in range(DRAWS[rows]):
                about = {"system": system, "train_rows": rows, "seed": seed}
                yield about, lambda about=about: _counted(about)
    yield from _trained(NAME, "multilingual", LENGTHS)
    yield _searching(NAME, WHOLE)
    for seed in range(3):
        for system, rows in (("live", SEARCHED), (WHOLE, WHOLE_ROWS)):
            about = {"system": system, "train_rows": rows, "seed": seed}
            yield about, lambda about=about: _tuned(about)


def english() -> Iterator[tuple[dict, Callable]]:
    """The same of the English encoder, to which most characters are one and the same unknown token."""
    yield from _trained(ENGLISH, "english", (1000,))


EXPERIMENTS = {NAME: multilingual, ENGLISH: english}


def recipe(about: dict) -> dict:
    """The settings of a trained system, with the rate that its search chose once that is recorded."""
    system = about["system"]
    if system in COUNTED:
        return {}
    length = LIVE if system == "live" else LENGTHS.get(about["train_rows"], {})
    trained = {} if WHOLE in system else {"trainable": LAYERS}
    of, _ = SEARCH.get(system, ("search", RATES))
    rate = {} if system.startswith("search") else searching.chosen(_file(system), "learning_rate", system=of)
    return length | trained | rate | {"seed": about["seed"]}


def _file(system: str) -> str:
    """The experiment that a system belongs to."""
    return ENGLISH if system == "english" else NAME


def _trained(name: str, system: str, sizes: Iterable[int]) -> Iterator[tuple[dict, Callable]]:
    """The search, and then the sizes."""
    yield _searching(name, system)
    for rows in sizes:
        for seed in range(3):
            about = {"system": system, "train_rows": rows, "seed": seed}
            yield about, lambda about=about: _tuned(about)


def _searching(name: str, system: str) -> tuple[dict, Callable]:
    searched, rates = SEARCH.get(system, ("search", RATES))
    about = {"system": searched, "train_rows": SEARCHED, "seed": 0}
    return about, lambda: _search(MODEL[name], about, rates)


@cache
def part(name: str) -> Dataset:
    """A split of the corpus, or the reviews to choose on, as far as systems read them; `place` is a row's number."""
    rows = corpora.load(CORPUS).data["validation" if name == "choosing" else name]
    rows = sample(rows, CHOOSE_ON) if name == "choosing" else rows
    rows = with_texts(rows, [text[:READ] for text in rows["text"]])
    return rows.add_column("place", list(range(len(rows))))


def characters(train: Dataset, choosing: Dataset, test: Dataset, *, words: bool = False) -> np.ndarray:
    """TF-IDF of runs of one to three characters with logistic regression: probabilities of test rows, (N, C).

    With `words`, of what stands between blanks and punctuation marks, and pairs of these.
    """
    kind = {"token_pattern": r"(?u)\b\w+\b", "ngram_range": (1, 2)} if words else {"analyzer": "char"}
    vectorizer = TfidfVectorizer(**{"ngram_range": (1, 3)} | kind, sublinear_tf=True)
    features = [vectorizer.fit_transform(train["text"])]
    features += [vectorizer.transform(rows["text"]) for rows in (choosing, test)]
    return baselines.regression(features, train, choosing)


def fine_tuned(role: str, train: Dataset, settings: Recipe) -> Run:
    """A run of an encoder on reviews."""
    task = Classification(tuple(train.features["label"].names))
    return fit(task, task.build(role, seed=settings.seed), models.tokenizer(role), train, recipe=settings)


def judged() -> Dataset:
    """The test reviews that trained systems are judged on."""
    return sample(part("test"), TESTED)


def drawn(about: dict) -> Dataset:
    """The training reviews of a size and a seed; those of fewer are among those of more."""
    return sample(part("train"), about["train_rows"], about["seed"])


def _tuned(about: dict) -> dict:
    run = fine_tuned(MODEL[_file(about["system"])], drawn(about), searching.complete(recipe(about)))
    return _scored(_predicted(run, judged()), judged()) | recording.cost(run)


def _predicted(run: Run, rows: Dataset) -> np.ndarray:
    with half_precision(run.model.device):
        return run.predict(rows)


def _counted(about: dict) -> dict:
    train, choosing, test = drawn(about), part("choosing"), part("test")
    if about["system"] != "frozen":
        return _scored(characters(train, choosing, test, words=about["system"] == "tf-idf of words"), test)
    features = [_features("train")[train["place"]], _features("choosing"), _features("test")]
    return _scored(baselines.regression(features, train, choosing), test)


def _scored(probabilities: np.ndarray, rows: Dataset) -> dict:
    right = probabilities.argmax(-1) == np.array(rows["label"])
    counts = recording.probability_counts(probabilities[:, 1])
    return {"n": len(right), "correct": right, "counts": counts, "accuracy": float(right.mean())}


@cache
def _features(name: str) -> np.ndarray:
    body = models.load(AutoModel, "multilingual")
    with half_precision(body.device):
        return embed(body, models.tokenizer("multilingual"), part(name)["text"])


def _search(role: str, about: dict, rates: tuple[float, ...]) -> dict:
    """The rate that suits the validation rows, for the first draw of some reviews."""
    choosing, start = part("choosing"), Recipe(**recipe(about))

    def compute(tried: Recipe) -> tuple[float, int]:
        run = fine_tuned(role, drawn(about), tried)
        right = _predicted(run, choosing).argmax(-1) == np.array(choosing["label"])
        return float(right.mean()), len(run.history)

    return searching.found(compute, start, rates, metric="accuracy", rows=len(choosing))
