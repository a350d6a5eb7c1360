"""The book's own tasks as instructions: what to do with a text, and the answer, all in one set of pairs.

A decoder that is fine-tuned on many tasks at once gets its task in words, instead of a layer for each task
(Wei et al. 2022, FLAN). Each task asks in a few wordings, so that no wording stands for the task.
"""

import random
from collections.abc import Callable
from hashlib import sha256
from operator import itemgetter

import pandas as pd
from datasets import Dataset

from helpers.corpora import boolq, brown, docstrings, news, parameters, questions, reviews, strings
from helpers.data.bio import spans
from helpers.data.corpus import SPLITS, Corpus, pair_corpus
from helpers.data.splits import normalised
from helpers.errors import InputError

ROWS = {"train": 300, "validation": 40, "test": 60}  # of each task, at most
MOST_WORDS = 150  # of what is asked about, so that a laptop can train on it
NOTHING = "none"

WORDINGS = {
    "reviews": (
        "Is this critic's opinion of the film fresh (good) or rotten (bad)?\n\n{}",
        "Critic: {}\n\nDid the critic like the film? Answer fresh or rotten.",
    ),
    "news": (
        "To which section of a news site does this belong: business, entertainment, politics, sports or tech?\n\n{}",
        "{}\n\nName the section: business, entertainment, politics, sports or tech.",
    ),
    "boolq": ("{}\n\nAnswer yes or no.", "Read, then answer the question with yes or no. {}"),
    "brown": (
        "List the names in this sentence, separated by semicolons, or write none.\n\n{}",
        "Sentence: {}\n\nWhich names does it hold? Separate them by semicolons; if there are none, write none.",
    ),
    "questions": (
        "{}\n\nAnswer with words of the text, or none if the text does not say.",
        "Copy the answer from the text; write none if it is not there.\n\n{}",
    ),
    "docstrings": (
        "Sum up what this does in one line.\n\n{}",
        "{}\n\nWrite the one line that stands above this documentation.",
    ),
    "strings": ("Translate this text of an interface into French.\n\n{}", "English: {}\nFrench:"),
    "parameters": (
        "Write name, type and default of this parameter as JSON.\n\n{}",
        "{}\n\nAs JSON with the fields name, type and default:",
    ),
}


def load(*, scale: str | None = None, path: str | None = None, seed: int = 0) -> Corpus:
    """Pairs of `prompt` and `completion` of eight tasks; `group` is the task, a slash, and what the row belongs to.

    Each task keeps its own split, so what it tests on is not trained on; a library or component that one task holds
    out is left out of the training rows of the others as well. The rows are the same at both scales.

    Raises InputError for a path, which this corpus cannot have.
    """
    del scale
    if path is not None:
        raise InputError(
            f"the corpus 'instructions' is made of the book's other corpora, not of '{path}'; leave it out"
        )
    frames = {name: pd.DataFrame(columns=["prompt", "completion", "group", "text"]) for name in SPLITS}
    cards = []
    for task, (corpus, rows_of) in _tasks().items():
        cards.append(corpus.card)
        for name in SPLITS:
            rows = _instructions(task, rows_of(corpus.data[name]), ROWS[name], random.Random(f"{seed} {task} {name}"))
            frames[name] = pd.concat([frames[name], rows], ignore_index=True)
    splits, removed = _apart(frames)
    return pair_corpus(
        {name: rows.drop(columns="text").sample(frac=1, random_state=seed) for name, rows in splits.items()},
        name="instructions",
        source="; ".join(card.source for card in cards),
        licence="; ".join(dict.fromkeys(card.licence for card in cards)),
        unit="an instruction with a text, and its answer",
        split_rule="each task's own; what one task holds out, no other trains on",
        removed=removed,
    )


def _tasks() -> dict[str, tuple[Corpus, Callable[[Dataset], pd.DataFrame]]]:
    """Each task's corpus, and the function from its rows to the columns text, answer and belongs."""
    laptop = {"scale": "laptop"}
    labelled = {"reviews": reviews.load(**laptop), "news": news.load(**laptop), "boolq": boolq.load(**laptop)}
    written = {
        "docstrings": docstrings.load(**laptop),
        "strings": strings.load(**laptop),
        "parameters": parameters.load(**laptop),
    }
    return (
        {task: (corpus, _labelled(corpus.labels)) for task, corpus in labelled.items()}
        | {"brown": (brown.load(**laptop), _names), "questions": (questions.load(**laptop), _answered)}
        | {task: (corpus, _written) for task, corpus in written.items()}
    )


def _labelled(labels: tuple[str, ...]) -> Callable[[Dataset], pd.DataFrame]:
    def rows(data: Dataset) -> pd.DataFrame:
        texts = [" ".join(text.split()[:MOST_WORDS]) for text in data["text"]]
        belongs = data["group"][:] if "group" in data.column_names else [_mark(text) for text in texts]
        return pd.DataFrame({"text": texts, "answer": [labels[i] for i in data["label"]], "belongs": belongs})

    return rows


def _mark(text: str) -> str:
    """A short name for a text that is its own group."""
    return sha256(text.encode()).hexdigest()[:12]


def _names(data: Dataset) -> pd.DataFrame:
    """Sentences of Brown with their tagged names."""
    tags = data.features["tags"].feature.names
    name_lists = [
        [" ".join(tokens[start:end]) for _, start, end in sorted(spans([tags[i] for i in ids]), key=itemgetter(1))]
        for tokens, ids in zip(data["tokens"], data["tags"], strict=True)
    ]
    answers = ["; ".join(dict.fromkeys(names)) or NOTHING for names in name_lists]
    texts = [" ".join(tokens) for tokens in data["tokens"]]
    return pd.DataFrame({"text": texts, "answer": answers, "belongs": data["group"][:]})


def _answered(data: Dataset) -> pd.DataFrame:
    """Questions with their passage, and the first right answer."""
    texts = [f"{row['context']}\n\n{row['question']}" for row in data]
    answers = [(row["text"] or [NOTHING])[0] for row in data["answers"]]
    return pd.DataFrame({"text": texts, "answer": answers, "belongs": data["group"][:]})


def _written(data: Dataset) -> pd.DataFrame:
    return pd.DataFrame({"text": data["prompt"][:], "answer": data["completion"][:], "belongs": data["group"][:]})


def _instructions(task: str, rows: pd.DataFrame, most: int, chance: random.Random) -> pd.DataFrame:
    """At most `most` rows whose text is short, each in one of the task's wordings."""
    rows = rows[rows["text"].str.split().str.len() <= MOST_WORDS]
    rows = rows.iloc[chance.sample(range(len(rows)), min(most, len(rows)))]
    prompts = [chance.choice(WORDINGS[task]).replace("{}", text) for text in rows["text"]]
    groups = [f"{task}/{belongs}" for belongs in rows["belongs"]]
    return pd.DataFrame(
        {"prompt": prompts, "completion": list(rows["answer"]), "group": groups, "text": list(rows["text"])}
    )


def _apart(frames: dict[str, pd.DataFrame]) -> tuple[dict[str, pd.DataFrame], dict[str, int]]:
    """Rows whose text or library no later split has, the test first, and how many rows were removed, by reason."""
    splits, removed = {}, {"held out by another task": 0, "text seen before": 0}
    libraries, texts = set(), set()
    for name in reversed(SPLITS):
        rows = frames[name]
        source, key = rows["group"].str.split("/", n=1).str[1], normalised(rows["text"])
        of_library = rows["group"].str.startswith(("docstrings/", "parameters/"))
        shared = of_library & source.isin(libraries)
        seen = ~shared & (key.isin(texts) | key.duplicated())
        removed["held out by another task"] += int(shared.sum())
        removed["text seen before"] += int(seen.sum())
        splits[name] = rows[~shared & ~seen]
        libraries |= set(source[of_library])
        texts |= set(key)
    return {name: splits[name] for name in SPLITS}, removed
