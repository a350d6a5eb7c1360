"""Texts of which it is known whether they are right, and what a decoder answers when it is asked which of two is.

`notes.csv` holds forty made-up notes with a summary each, the same in other words, the opposite, two names, and a word
with its synonym. All other edits are made by code, so that each is wrong in one way that is known.
"""

import random
import re
from collections.abc import Sequence
from importlib import resources

import numpy as np
import pandas as pd
from datasets import Dataset
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from helpers.models.inference import by_length, evaluating
from helpers.tasks.generation.task import Generation

# By the name of an edit whether the text is still right.
EDITS = {
    "a synonym": True,
    "more words": True,
    "other words": True,
    "a number changed": False,
    "two names exchanged": False,
    "the opposite": False,
    "cut in half": False,
    "words shuffled": False,
    "another summary": False,
}
STEPS, ZERO = 1000, 32_768  # of a nat, and the count of 0
PADDING = " This was reported today, and further details may follow at a later time."
# What a decoder is asked, by the name of the wording; {0} is the text, {1} and {2} are the candidates.
WORDINGS = {
    "A or B": "{0}\n\nA: {1}\nB: {2}\n\nWhich one says what the text says? Answer with A or B.",
    "first or second": (
        "Text: {0}\n\nFirst summary: {1}\n\nSecond summary: {2}\n\n"
        "Which summary is right, First or Second? Answer with one word."
    ),
    "with examples": (
        "Text: The shop in Bonn sold 12 bicycles.\nA: Twelve bicycles were sold in Bonn.\nB: The shop closed in May.\n"
        "Right: A\n\nText: Ida did not go to the meeting.\nA: Ida went to the meeting.\n"
        "B: Ida stayed away from the meeting.\nRight: B\n\nText: {0}\nA: {1}\nB: {2}\nRight:"
    ),
}
# What the text is preceded by where no question is asked, and the likelihood of a candidate as its answer is compared.
TELLING = "Say in one sentence what this text says.\n\n"
ANSWERS = {"A or B": ("A", "B"), "first or second": ("First", "Second"), "with examples": ("A", "B")}


def notes() -> pd.DataFrame:
    """The notes, one a row: note, summary, paraphrase, opposite, the names one and other, word and its synonym."""
    return pd.read_csv(resources.files("helpers.book") / "notes.csv")


def edited(items: pd.DataFrame, seed: int = 0) -> dict[str, list[str]]:
    """The summaries after each edit of `EDITS`, in the order of the items."""
    draw, texts = random.Random(seed), items["summary"].tolist()
    fields = items[["one", "other", "word", "synonym"]].itertuples(index=False)
    synonyms, exchanged = [], []
    for text, row in zip(texts, fields, strict=True):
        synonyms.append(re.sub(rf"\b{row.word}\b", row.synonym, text))
        exchanged.append(text.replace(row.one, "\0").replace(row.other, row.one).replace("\0", row.other))
    made = {
        "a synonym": synonyms,
        "more words": [text + PADDING for text in texts],
        "other words": items["paraphrase"].tolist(),
        "a number changed": [re.sub(r"\d+", lambda found: _other(found[0], draw), text) for text in texts],
        "two names exchanged": exchanged,
        "the opposite": items["opposite"].tolist(),
        "cut in half": [" ".join(text.split()[: len(text.split()) // 2]) + "." for text in texts],
        "words shuffled": [_shuffled(text, draw) for text in texts],
        "another summary": texts[1:] + texts[:1],
    }
    return {name: made[name] for name in EDITS}


def margins(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    triples: Sequence[tuple[str, str, str]],
    wording: str = "A or B",
) -> np.ndarray:
    """log p(first) - log p(second) of the answers that a decoder gives, in nats, shape (N,).

    Args:
        triples: of each question the text and the two candidates in the order in which they are shown.
        wording: one of `WORDINGS`.
    """
    asked = [[{"role": "user", "content": WORDINGS[wording].format(*triple)}] for triple in triples]
    encoded = [tokenizer.apply_chat_template(turns, add_generation_prompt=True)["input_ids"] for turns in asked]
    first, second = (tokenizer(answer, add_special_tokens=False)["input_ids"][0] for answer in ANSWERS[wording])

    def differences(rows: list[int]) -> np.ndarray:
        batch = {"input_ids": [encoded[i] for i in rows]}
        padded = tokenizer.pad(batch, padding_side="left", return_tensors="pt").to(model.device)
        logits = model(**padded, logits_to_keep=1).logits[:, -1].float()  # (B, V)
        return (logits[:, first] - logits[:, second]).cpu().numpy()  # (B,)

    with evaluating(model):
        return np.array(by_length(differences, [len(ids) for ids in encoded]))


def likelihoods(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, texts: Sequence[str], candidates: Sequence[str]
) -> np.ndarray:
    """The mean log p of the tokens of each candidate as a summary of its text, in nats, shape (N,)."""
    task = Generation()
    rows = {"prompt": [TELLING + text for text in texts], "completion": list(candidates)}
    encoded = task.encode(tokenizer, Dataset.from_dict(rows))
    return np.array(task.infer(model, encoded)) / [sum(counts) for counts in encoded["counts"]]


def as_counts(scores: np.ndarray) -> np.ndarray:
    """Scores in nats as the whole numbers that the ledger keeps, to a thousandth, from -32.7 to 32.7."""
    return np.clip(np.rint(scores * STEPS) + ZERO, 0, 2 * ZERO - 1)


def from_counts(counts: np.ndarray) -> np.ndarray:
    """The scores in nats that `as_counts` kept."""
    return (counts - ZERO) / STEPS


def _other(number: str, draw: random.Random) -> str:
    """Another number of as many digits."""
    first = draw.choice([digit for digit in "123456789" if digit != number[0]])
    return first + number[1:]


def _shuffled(text: str, draw: random.Random) -> str:
    """The words of a sentence in another order, its full stop at the end."""
    words = text.rstrip(".").split()
    mixed = words
    while mixed == words:
        mixed = draw.sample(words, len(words))
    return " ".join(mixed) + "."
