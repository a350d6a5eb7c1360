"""Chinese reviews by what a system can read of them: characters, the pieces of 100 languages, or those of English.

All systems get the same part of each review, its first `READ` characters, and the same validation rows to choose on.
What trains has the learning rate that a search at `SEARCHED` reviews chose. The multilingual encoder trains all but its
embeddings of pieces: four fifths of its weights, of which a few thousand reviews meet one in twenty.
"""

from collections.abc import Callable, Iterator
from functools import cache

import numpy as np
from datasets import Dataset
from sklearn.feature_extraction.text import TfidfVectorizer
from transformers import AutoModel

from experiments import recording
from helpers import Classification, Recipe, Run, corpora, fit, models, sample
from helpers.book import ledger
from helpers.models.embedding import embed
from helpers.models.inference import half_precision
from helpers.tasks.classification import baselines
from helpers.tasks.classification.long_texts import with_texts
from helpers.workflow.tune import search

NAME, ENGLISH, CORPUS = "chinese-reviews", "chinese-english", "chinese"
MODEL = {NAME: "multilingual", ENGLISH: "encoder"}
READ = 64  # characters of a review that all systems get: three of five reviews whole
CHOOSE_ON = 400  # validation reviews
SIZES = (250, 1000, 4000, 12000)
COUNTED = ("tf-idf", "tf-idf of words", "frozen")
SEARCHED, RATES = 1000, (5e-5, 1e-4, 2e-4)
LENGTHS = {250: {"batch_rows": 8, "epochs": 5}, 1000: {"batch_rows": 16, "epochs": 3}}  # 160 and 189 steps
LENGTHS |= {4000: {"batch_rows": 16, "epochs": 1}}  # 250 steps
LIVE, LIVE_TESTED = 250, 500  # of the run that the chapter repeats, and the test reviews that it is judged on


def multilingual() -> Iterator[tuple[dict, Callable]]:
    """Accuracy by system, size and seed of counted characters and words, and of the multilingual encoder."""
    for rows in SIZES:
        for system in COUNTED:
            for seed in range(3):
                about = {"system": system, "train_rows": rows, "seed": seed}
                yield about, lambda about=about: _counted(about)
    yield from _trained(NAME, "multilingual")


def english() -> Iterator[tuple[dict, Callable]]:
    """The same of the English encoder, to which most characters are one and the same unknown token."""
    yield from _trained(ENGLISH, "english")


EXPERIMENTS = {NAME: multilingual, ENGLISH: english}


def recipe(about: dict) -> dict:
    """The settings of a trained system that no search chooses."""
    return {} if about["system"] in COUNTED else LENGTHS[about["train_rows"]] | {"seed": about["seed"]}


def _trained(name: str, system: str) -> Iterator[tuple[dict, Callable]]:
    """The search, and then the sizes with the one that the search was made on first."""
    about = {"system": "search", "train_rows": SEARCHED, "seed": 0}
    yield about, lambda: _search(MODEL[name])
    for rows in sorted(LENGTHS, key=lambda rows: rows != SEARCHED):
        for seed in range(3):
            about = {"system": system, "train_rows": rows, "seed": seed}
            yield about, lambda about=about: _tuned(name, about)


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


def fine_tuned(role: str, train: Dataset, choosing: Dataset, settings: Recipe) -> Run:
    """A run of an encoder on reviews; a multilingual one keeps its embeddings of pieces as they are."""
    task = Classification(tuple(train.features["label"].names))
    model = task.build(role, seed=settings.seed)
    if role == "multilingual":
        model.get_input_embeddings().requires_grad_(False)
    return fit(task, model, models.tokenizer(role), train, choosing, settings)


def drawn(about: dict) -> Dataset:
    """The training reviews of a size and a seed; those of fewer are among those of more."""
    return sample(part("train"), about["train_rows"], about["seed"])


def settings(name: str, about: dict) -> Recipe:
    """How a system trains: at the rate of its search."""
    return Recipe(**recipe(about), learning_rate=ledger.read(name).where(system="search").recipe().learning_rate)


def _tuned(name: str, about: dict) -> dict:
    run = fine_tuned(MODEL[name], drawn(about), part("choosing"), settings(name, about))
    with half_precision(run.model.device):
        probabilities = run.predict(part("test"))
    return _scored(probabilities) | recording.cost(run) | {"epoch": run.best["epoch"]}


def _counted(about: dict) -> dict:
    train, choosing, test = drawn(about), part("choosing"), part("test")
    if about["system"] != "frozen":
        return _scored(characters(train, choosing, test, words=about["system"] == "tf-idf of words"))
    features = [_features("train")[train["place"]], _features("choosing"), _features("test")]
    return _scored(baselines.regression(features, train, choosing))


def _scored(probabilities: np.ndarray) -> dict:
    right = probabilities.argmax(-1) == np.array(part("test")["label"])
    counts = recording.probability_counts(probabilities[:, 1])
    return {"n": len(right), "correct": right, "counts": counts, "accuracy": float(right.mean())}


@cache
def _features(name: str) -> np.ndarray:
    body = models.load(AutoModel, "multilingual")
    with half_precision(body.device):
        return embed(body, models.tokenizer("multilingual"), part(name)["text"])


def _search(role: str) -> dict:
    """The rate that suits the validation rows, for the first draw of some reviews."""
    about = {"system": "search", "train_rows": SEARCHED, "seed": 0}
    train = sample(part("train"), SEARCHED)

    def compute(tried: Recipe) -> tuple[float, int]:
        run = fine_tuned(role, train, part("choosing"), tried)
        return run.best["validation_accuracy"], len(run.history)

    start = Recipe(**recipe(about))
    found = search(compute, start, RATES, [start.epochs], metric="accuracy", note=print)
    return {"n": CHOOSE_ON, "trials": found.rows(), "recipe": found.recipe.to_dict()}
