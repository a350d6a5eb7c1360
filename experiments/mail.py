"""Mail: the scores that filters give every mail, so that thresholds can be chosen and judged afterwards.

Each difference has one cause: the filters that count words are taught whole mails, and also the very pieces of mail
that the encoder reads; all training mails, and also the few that it is taught in one arm.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache

import numpy as np
from datasets import Dataset, DatasetDict, concatenate_datasets
from scipy.special import expit, logit
from transformers import AutoModel

from experiments import searching
from experiments.recording import cost, probability_counts
from helpers import Classification, Recipe, Run, assets, corpora, fit, models, sample
from helpers.book import misspelling
from helpers.models.embedding import embed
from helpers.tasks.classification import baselines, long_texts
from helpers.training import checkpoints
from helpers.workflow.tune import tune

NAME, CORPUS, MODEL = "mail-scores", "mail", "encoder"
ALL, FEW, LIVE = 2019, 400, 96  # training mails; LIVE of them in the run that the chapter repeats
SHORT, LONG, WHOLE = 64, 256, "all"  # tokens of each mail
SEEDS = range(5)  # of a trained model, and of a drawn part of the training mails
RATES = (0.1, 0.2, 0.4)  # shares of words that the senders of spam misspell
LEARNED_RATE = 0.3  # share of misspelled words in half of the training mails of the hardened model
RECIPE = {"batch_rows": 8, "attention_dropout": 0.0, "checkpoint_steps": 25}
LENGTHS = {ALL: (1, 3), FEW: (3, 6)}  # passes that the search tries: 253 and 759 steps, and 150 and 300
CHOOSE_ON = 300  # validation mails that choose settings and weights of the encoder
LIVE_RECIPE = {"learning_rate": 2e-4, "epochs": 6}  # 72 steps
SAMPLE = 400  # mails of the test that the live run is judged on


def mail_scores() -> Iterator[tuple[dict, Callable]]:
    """The probability of spam for each mail of `judged` and its rank, by each filter; the cheapest come first."""
    for tokens in (WHOLE, LONG, SHORT):
        for system in CLASSICAL:
            yield _one(system, ALL, tokens, 0)
    for seed in SEEDS:
        for tokens in (WHOLE, SHORT):
            for system in CLASSICAL:
                yield _one(system, FEW, tokens, seed)
    for seed in SEEDS:
        yield _one("frozen", FEW, SHORT, seed)
    yield _one("frozen", ALL, SHORT, 0)
    for seed in SEEDS[:3]:
        yield _one("live", LIVE, SHORT, seed)
    arms = {FEW: (("fine-tuned", SHORT), ("hardened", SHORT)), ALL: (("fine-tuned", SHORT), ("fine-tuned", LONG))}
    for rows, trained in arms.items():
        yield _one("search", rows, SHORT, 0)  # with longer mails it would take hours, and the rate is the model's
        for system, tokens in trained:
            for seed in SEEDS:
                yield _one(system, rows, tokens, seed)
    yield _one("frozen", ALL, LONG, 0)


EXPERIMENTS = {NAME: mail_scores}


def recipe(about: dict) -> dict:
    """The settings of a trained model, with what the search chose for as many mails once that is recorded."""
    if about["system"] == "live":
        return RECIPE | {"seed": about["seed"]} | LIVE_RECIPE
    searched = {"system": "search", "train_rows": about["train_rows"]}
    found = {} if about["system"] == "search" else searching.chosen(NAME, "learning_rate", "epochs", **searched)
    return RECIPE | {"seed": about["seed"]} | found


def _one(system: str, rows: int, tokens: int | str, seed: int) -> tuple[dict, Callable]:
    about = {"system": system, "train_rows": rows, "tokens": tokens, "seed": seed}
    if system == "search":
        return about, lambda: _search(about)
    return about, lambda: _scores(about)


def _scores(about: dict) -> dict:
    live = about["system"] == "live"
    rows, made = judged(about["tokens"], live), {}
    if about["system"] in CLASSICAL:
        odds = CLASSICAL[about["system"]](_taught(about), pieces("validation", about["tokens"]), rows)
    elif about["system"] == "frozen":
        odds = logit(_frozen(about))
    else:
        run = _trained(about)
        odds, made = logit(run.predict(rows)[:, 1]), cost(run) | ({} if live else {"epoch": run.best["epoch"]})
    spam = expit(odds)
    right = (spam >= 0.5) == np.array(rows["label"])
    # Probabilities round to 16 bits, and many to 1: what ranks above what stands beside them.
    counts = np.column_stack([probability_counts(spam), np.unique(odds, return_inverse=True)[1]])
    scores = {"n": len(spam), "counts": counts, "correct": right, "accuracy": float(right.mean())}
    return scores | {"parts": {name: len(part) for name, part in parts(live).items()}} | made


@cache
def parts(live: bool = False) -> dict[str, Dataset]:
    """What every filter scores: validation, test, and the spam of the test as senders who adapt would write it.

    A `live` run scores some of the test mails.
    """
    data = corpora.load(CORPUS).data
    if live:
        return {"sample": sample(data["test"], SAMPLE)}
    spam = data["test"].select(np.flatnonzero(np.array(data["test"]["label"]) == 1))
    rewritten = {
        f"misspelled {rate}": long_texts.with_texts(spam, misspelling.misspelled(spam["text"], rate, seed=1))
        for rate in RATES
    }
    return {"validation": data["validation"], "test": data["test"]} | rewritten


@cache
def judged(tokens: int | str, live: bool = False) -> Dataset:
    """The mails that every filter scores, one part after the other, as far as it reads them."""
    return _cut(concatenate_datasets(list(parts(live).values())), tokens)


@cache
def pieces(split: str, tokens: int | str) -> Dataset:
    """The mails of a split, as far as a filter reads them."""
    return _cut(corpora.load(CORPUS).data[split], tokens)


def _cut(rows: Dataset, tokens: int | str) -> Dataset:
    return rows if tokens == WHOLE else long_texts.shortened(rows, models.tokenizer(), tokens)


def _taught(about: dict) -> Dataset:
    """The training mails of a filter."""
    return sample(pieces("train", about["tokens"]), about["train_rows"], about["seed"])


# From mails for training, validation and test to the log-odds of spam of the last.
CLASSICAL = {
    "naive bayes": baselines.naive_bayes_log_odds,
    "tf-idf": lambda *parts: logit(baselines.tfidf(*parts)[:, 1]),
    "spambayes": lambda train, _, test: logit(baselines.spambayes(train, test)[:, 1]),
}


def _task(tokens: int) -> Classification:
    return Classification(corpora.load(CORPUS).labels, tokens)


def _frozen(about: dict) -> np.ndarray:
    """Logistic regression on features of the pretrained body, which are computed once for all draws."""
    tokens, validation = about["tokens"], pieces("validation", about["tokens"])
    whole = pieces("train", tokens)
    places = sample(Dataset.from_dict({"place": range(len(whole))}), about["train_rows"], about["seed"])["place"][:]
    features = [_features("train", tokens)[places], _features("validation", tokens), _features("judged", tokens)]
    return baselines.regression(features, _taught(about), validation)[:, 1]


@cache
def _features(name: str, tokens: int) -> np.ndarray:
    rows = judged(tokens) if name == "judged" else pieces(name, tokens)
    return embed(models.load(AutoModel), models.tokenizer(), rows["text"], max_length=tokens)


def _search(about: dict) -> dict:
    """What `tune` chooses on validation mails, for a number of training mails."""
    data = DatasetDict({"train": _taught(about), "validation": _choosing(about["tokens"])})
    corpus, lengths = replace(corpora.load(CORPUS), data=data), LENGTHS[about["train_rows"]]
    found = tune(_task(about["tokens"]), corpus, Recipe(**recipe(about)), _place(about), epochs=lengths, note=print)
    return {"n": CHOOSE_ON, "trials": found.rows(), "recipe": found.recipe.to_dict()}


def _choosing(tokens: int | str) -> Dataset:
    return sample(pieces("validation", tokens), CHOOSE_ON)


def _trained(about: dict) -> Run:
    """A fine-tuned model; one that was killed goes on from its checkpoint in the cache."""
    train = _taught(about)
    if about["system"] == "hardened":
        changed = misspelling.misspelled(train["text"], LEARNED_RATE, seed=about["seed"])
        texts = [new if i % 2 else old for i, (old, new) in enumerate(zip(train["text"], changed, strict=True))]
        train = long_texts.with_texts(train, texts)
    task, place = _task(about["tokens"]), _place(about)
    validation = None if about["system"] == "live" else _choosing(about["tokens"])
    settings = searching.complete(recipe(about))
    resume = checkpoints.newest(checkpoints.work_folder(place)) is not None
    where = {"output": place, "resume": resume}
    run = fit(task, task.build(seed=about["seed"]), models.tokenizer(), train, validation, settings, **where)
    checkpoints.discard(place)
    return run


def _place(about: dict):
    return assets.cache_dir() / "unfinished" / "-".join(["mail", *map(str, about.values())])
