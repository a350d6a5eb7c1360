"""News: accuracy over few labels, from systems that cost nothing to those that train, and the same on newsgroups.

What costs nothing is drawn twenty times, what trains five or ten times; a draw gives all systems the same articles.
What trains has the learning rate and the length that a search on validation rows chose, at 16 labels, for all sizes:
the steps are the same for all, so that few labels are not few steps.
"""

from collections.abc import Callable, Iterator
from functools import cache, lru_cache

import numpy as np
from datasets import Dataset, concatenate_datasets
from transformers import AutoModel

from experiments import recording, searching
from helpers import Classification, Recipe, Run, corpora, fit, models, sample
from helpers.book import ledger
from helpers.book.contrastive import ROWS, contrast
from helpers.corpora import news
from helpers.models.embedding import embed
from helpers.tasks.classification import baselines, long_texts

NAME, CORPUS, MODEL = "news-few", "news", "encoder"
SHORT, LONG, WHOLE = 64, 256, "all"  # tokens of each article that a system reads
CHOOSE_ON = 128  # validation rows that choose what a system leaves to choose
SIZES = (4, 8, 16, 32, 64, 128, 256)
FREE = (("centroid", SHORT), ("head only", SHORT), ("tf-idf", WHOLE), ("tf-idf", SHORT))  # the cheapest first
TRAINED = ("fine-tuned", "head first", "contrastive")
FREE_DRAWS, TRAINED_DRAWS, LARGE_DRAWS = 20, 10, 5  # the last for what trains on 64 labels and more
BALANCED = 40  # labels of the run that the chapter repeats, as many of each section
SEARCHED = 16  # labels of the search
MOVED = 256  # labels of the systems that are tried on newsgroups as well
POSTS = (50, 200)  # labelled posts that are added to them
STEPS = {"fine-tuned": (150, 300), "head first": (150, 300), "contrastive": (40, 80)}  # lengths of the search
RATES = (5e-5, 1e-4, 2e-4)
BATCH = {"fine-tuned": 8, "head first": 8, "contrastive": ROWS, "live": 8}
LIVE = {"learning_rate": 1e-4, "epochs": 30}  # 150 steps on 40 articles
HEAD_RATES = (1e-2, 1e-3)  # of the first stage of `head first`, which has as many steps as the second


def news_few() -> Iterator[tuple[dict, Callable]]:
    """Accuracy by system, labels and draw: first what is free, then the live run, then what trains."""
    for system, tokens in FREE:
        yield from _draws(system, BALANCED, tokens, 5, drawn="balanced")
    for system in ("centroid", "head only"):
        for rows in SIZES:
            yield from _draws(system, rows, SHORT, FREE_DRAWS)
    yield from _draws("live", BALANCED, SHORT, 5, drawn="balanced")
    for rows in (16, 64, 256, 8, 32, 128, 4):
        yield from _draws("tf-idf", rows, WHOLE, TRAINED_DRAWS)
    for rows in (16, 64, 256):
        yield from _draws("tf-idf", rows, SHORT, TRAINED_DRAWS)
    for system in TRAINED:
        about = {"system": "search", "of": system, "train_rows": SEARCHED, "seed": 0}
        yield about, lambda system=system: _search(system)
    for system in TRAINED[1:]:
        yield from _draws(system, BALANCED, SHORT, LARGE_DRAWS, drawn="balanced")
    for rows in (16, 64, 256, 8):
        for system in TRAINED:
            yield from _draws(system, rows, SHORT, LARGE_DRAWS if rows >= 64 else TRAINED_DRAWS)
    for posts in POSTS:
        for system, tokens in (*FREE[:3], ("fine-tuned", SHORT)):
            yield from _draws(system, MOVED, tokens, LARGE_DRAWS, posts=posts)
    every = len(corpora.load(CORPUS).data["train"])
    for system, tokens in (*FREE[:3], ("fine-tuned", SHORT)):
        yield from _draws(system, every, tokens, 1)
    for rows in (MOVED, every):
        for system, tokens in (("fine-tuned", LONG), ("head only", LONG), ("tf-idf", LONG)):
            yield from _draws(system, rows, tokens, LARGE_DRAWS if rows == MOVED else 3)


EXPERIMENTS = {NAME: news_few}


def recipe(about: dict) -> dict:
    """The settings of a trained system, with what its search chose once that is recorded."""
    system = about.get("of", about["system"])
    if system not in BATCH:
        return {}
    settings = {"attention_dropout": 0.0, "seed": about["seed"], "batch_rows": BATCH[system]}
    return settings | (LIVE if system == "live" else {} if "of" in about else _searched(about))


def _searched(about: dict) -> dict:
    """The rate that the search chose for a system, and as many steps as it chose, whatever the number of labels."""
    system, rows = about["system"], about["train_rows"] + about["posts"]
    found = searching.chosen(NAME, "learning_rate", "epochs", system="search", of=system)
    if not found:
        return {}
    steps = found["epochs"] * -(-SEARCHED // BATCH[system])
    return found | {"epochs": -(-steps // -(-rows // BATCH[system]))}


def _draws(
    system: str, rows: int, tokens: int | str, draws: int, *, drawn: str = "random", posts: int = 0
) -> Iterator[tuple[dict, Callable]]:
    """Each draw of one kind, on the test articles and, where the models are moved, on posts to newsgroups."""
    about = {"system": system, "train_rows": rows, "tokens": tokens, "drawn": drawn, "posts": posts}
    splits = ("elsewhere",) if posts else ("test", "elsewhere") if rows == MOVED and tokens != LONG else ("test",)
    for seed in range(draws):
        for split in splits:
            one = about | {"seed": seed, "split": split}
            yield one, lambda one=one: _result(one)


def _result(about: dict) -> dict:
    made = {}
    if about["system"] in BATCH:
        key = {name: value for name, value in about.items() if name != "split"}
        predict, made = _trained(tuple(key.items()))
        probabilities = predict(about["split"])
    else:
        probabilities = _free(about)
    right = probabilities.argmax(-1) == np.array(part(about["split"], SHORT)["label"])
    scores = {"accuracy": float(right.mean()), "n": len(right), "correct": right}
    return scores | made | ({"counts": recording.probability_counts(probabilities)} if made else {})


@cache
def part(name: str, tokens: int | str) -> Dataset:
    """A part of the corpus, as far as a system reads its texts; `place` is a row's number, for its features."""
    data = corpora.load(CORPUS)
    if name == "choosing":
        return sample(part("validation", tokens), CHOOSE_ON, 0)
    others = {"elsewhere": "test", "posts": "train"}
    rows = news.elsewhere(data.labels, part=others[name]) if name in others else data.data[name]
    rows = rows if tokens == WHOLE else long_texts.shortened(rows, models.tokenizer(), tokens)
    return rows.add_column("place", list(range(len(rows))))


def labelled(about: dict) -> Dataset:
    """The rows that a draw has labelled."""
    rows, tokens, seed = about["train_rows"], about["tokens"], about["seed"]
    train = part("train", tokens)
    chosen = sample(train, len(train) if about["drawn"] == "balanced" else rows, seed)
    if about["drawn"] == "balanced":
        labels = np.array(chosen["label"])
        first = [np.flatnonzero(labels == c)[: rows // len(set(labels))] for c in sorted(set(labels))]
        chosen = chosen.select(np.sort(np.concatenate(first)))
    if about["posts"]:
        posts = part("posts", tokens)
        posts = posts.remove_columns("place").add_column("place", [len(train) + i for i in posts["place"]])
        chosen = concatenate_datasets([chosen, sample(posts, about["posts"], seed)])
    return chosen


def _free(about: dict) -> np.ndarray:
    """Probabilities of a system whose encoder does not move, (N, C)."""
    train, tokens = labelled(about), about["tokens"]
    others = [part(name, tokens) for name in ("choosing", about["split"])]
    if about["system"] == "tf-idf":
        return baselines.tfidf(train, *others)
    pool = [_features(name, tokens) for name in ("train", *(["posts"] if about["posts"] else []))]
    features = [np.concatenate(pool)[train["place"]]]
    features += [_features(name, tokens) for name in ("choosing", about["split"])]
    rung = {"centroid": baselines.centroid, "head only": baselines.regression}[about["system"]]
    return rung(features, train, others[0])


@cache
def _features(name: str, tokens: int) -> np.ndarray:
    return embed(models.load(AutoModel), models.tokenizer(), part(name, tokens)["text"])


def _search(system: str) -> dict:
    """The rate and the passes that suit validation rows, for the first draw of some articles.

    Of a layer that trains alone first, the rate is chosen before, at the middle rate and the shortest length.
    """
    about = {"system": system, "train_rows": SEARCHED, "tokens": SHORT, "drawn": "random", "posts": 0, "seed": 0}
    steps = -(-SEARCHED // BATCH[system])
    choosing = part("choosing", SHORT)

    def score(tried: Recipe, head_rate: float | None) -> float:
        predict, _ = _taught(about, tried, head_rate)
        return float((predict("choosing").argmax(-1) == np.array(choosing["label"])).mean())

    start = Recipe(**recipe(about | {"of": system}))
    lengths, head = [-(-length // steps) for length in STEPS[system]], {}
    if system == "head first":
        first = Recipe(**start.to_dict() | {"learning_rate": RATES[1], "epochs": lengths[0]})
        scores = {rate: score(first, rate) for rate in HEAD_RATES}
        head = {"head_rate": max(scores, key=scores.get), "head_scores": list(scores.items())}

    def compute(tried: Recipe) -> tuple[float, int]:
        return score(tried, head.get("head_rate")), tried.epochs * steps

    return searching.found(compute, start, RATES, lengths, metric="accuracy", rows=len(choosing)) | head


@lru_cache(maxsize=1)
def _trained(about: tuple) -> tuple[Callable[[str], np.ndarray], dict]:
    about, head_rate = dict(about), None
    if about["system"] == "head first":
        head_rate = float(ledger.read(NAME).where(system="search", of="head first")["head_rate"].iloc[0])
    return _taught(about, searching.complete(recipe(about)), head_rate)


def _taught(about: dict, settings: Recipe, head_rate: float | None = None) -> tuple[Callable[[str], np.ndarray], dict]:
    """Probabilities by part of a trained system, and how it was trained."""
    train, tokens = labelled(about), about["tokens"]
    with recording.Watch() as watch:
        if about["system"] == "contrastive":
            body = _pulled(train, settings, tokens)
            return lambda name: _regression(body, train, name, tokens), {"recipe": settings.to_dict()}
        run = _fitted(train, settings, tokens, head_rate)
    return lambda name: run.predict(part(name, tokens)), recording.cost(run, watch)


def _fitted(train: Dataset, settings: Recipe, tokens: int, head_rate: float | None) -> Run:
    """A run with all weights; with a `head_rate` the new layer trains alone at it first."""
    task, tokenizer = Classification(tuple(train.features["label"].names), tokens), models.tokenizer()
    model = task.build(seed=settings.seed)
    if head_rate:
        first = {"learning_rate": head_rate, "trainable": "head"}
        model = fit(task, model, tokenizer, train, recipe=Recipe(**settings.to_dict() | first)).model
    return fit(task, model, tokenizer, train, recipe=settings)


def _pulled(train: Dataset, settings: Recipe, tokens: int):
    steps = settings.epochs * -(-len(train) // ROWS)
    body = models.load(AutoModel)
    return contrast(body, models.tokenizer(), train, settings, steps=steps, max_length=tokens)


def _regression(body, train: Dataset, name: str, tokens: int) -> np.ndarray:
    choosing = part("choosing", tokens)
    features = [embed(body, models.tokenizer(), rows["text"]) for rows in (train, choosing, part(name, tokens))]
    return baselines.regression(features, train, choosing)
