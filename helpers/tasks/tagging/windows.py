"""The words of a sentence, and the window of tokens in which each of them is read."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from operator import itemgetter

import numpy as np
from datasets import Dataset
from transformers import BatchEncoding, PreTrainedTokenizerBase

from helpers.errors import InputError
from helpers.tasks.base import IGNORE
from helpers.text import AS_TEXT, word_spans

BATCH = 1000  # sentences that are tokenised together


def words_of(row: dict) -> tuple[str, np.ndarray]:
    """The text of a row, and the characters [start, end) of each of its words, shape (W, 2).

    A row has `tokens`, a list of words, which stand in the text with a blank between them. Or it has a text, as
    `tokens` or as `text`, which is cut into words here.
    """
    tokens = row.get("tokens")
    text = tokens if isinstance(tokens, str) else row.get("text")
    if isinstance(tokens, list):
        lengths = np.array([len(token) for token in tokens], dtype=int)
        ends = np.cumsum(lengths + 1) - 1
        return " ".join(tokens), np.stack([ends - lengths, ends], axis=1)
    if not isinstance(text, str):
        raise InputError(f"a row is {str(row)[:60]}; give it 'tokens', a list of words or a text")
    return text, np.array(word_spans(text), dtype=int).reshape(-1, 2)


def windows(tokenizer: PreTrainedTokenizerBase, data: Dataset, limit: int) -> Iterator[dict]:
    """The windows of each row, in order: one for a sentence of up to `limit` tokens, else several that overlap.

    A sentence is tokenised as the text that it is, since most vocabularies have one token for a word after a blank and
    another for the same letters without it. Of two windows that share tokens, each owns the half of them of which it
    sees more on either side, so that every word is owned by one window.

    Columns: `input_ids`; `first`, the position of the first token of each word that the window owns; `example`, the row
    of `data`; `length`, the number of words that it owns, which is more than `first` has only where the tokenizer
    leaves nothing of the whole sentence. Where it leaves nothing of a word, such as a lone control character, that is
    read at the window's first token.

    Raises InputError for a tokenizer that does not tell where its tokens stand in the text.
    """
    if not tokenizer.is_fast:
        raise InputError(f"the tokenizer {type(tokenizer).__name__} tells no offsets; use a fast tokenizer")
    stride = (limit - tokenizer.num_special_tokens_to_add()) // 4
    for begin in range(0, len(data), BATCH):
        sentences = [words_of(row) for row in data.select(range(begin, min(begin + BATCH, len(data)))).to_list()]
        encoded = tokenizer(
            [text for text, _ in sentences],
            truncation=True,
            max_length=limit,
            stride=stride,
            return_overflowing_tokens=True,
            return_offsets_mapping=True,
            **AS_TEXT,
        )
        numbers = np.array(encoded["overflow_to_sample_mapping"])
        for number, (_, spans) in enumerate(sentences):
            parts = np.flatnonzero(numbers == number).tolist()
            for row in _owned(encoded, parts, spans, stride):
                yield row | {"example": begin + number}


def _owned(encoded: BatchEncoding, parts: Sequence[int], spans: np.ndarray, stride: int) -> Iterator[dict]:
    """The windows `parts` of one sentence that own a word; at least one."""
    inside = [[place for place, of in enumerate(encoded.sequence_ids(part)) if of == 0] for part in parts]
    pairs = zip(parts, inside, strict=True)
    offsets = [np.array(encoded["offset_mapping"][part])[places].reshape(-1, 2) for part, places in pairs]
    # The tokens of the sentence, each once: (N, 2), and for each of them its window and its place in there.
    tokens = np.concatenate([offsets[0], *(part[stride:] for part in offsets[1:])])
    begins = np.cumsum([0, *(len(part) - stride for part in offsets[:-1])])  # of each window in `tokens`
    stops = np.maximum.accumulate(tokens[:, 1])  # they rise already, unless a tokenizer changes the order of accents
    at = np.searchsorted(stops, spans[:, 0], side="right")  # the first token that ends in a word or after it
    found = at < len(tokens)
    found[found] = tokens[at[found], 0] < spans[found, 1]
    owner = np.searchsorted(begins[1:] + stride // 2, at, side="right")
    owner = np.maximum.accumulate(np.where(found, owner, 0))
    lead = inside[0][0] if inside[0] else 0  # special tokens before the text
    first = np.where(found, at - begins[owner] + lead, 0)
    for window, part in enumerate(parts):
        own = owner == window
        if own.any() or len(parts) == 1:
            positions = first[own].tolist() if found.any() else []
            yield {"input_ids": encoded["input_ids"][part], "first": positions, "length": int(own.sum())}


def joined(parts: Sequence, examples: Sequence[int]) -> list[np.ndarray]:
    """What the windows of each sentence hold, one array after the other, as one array per sentence."""
    pairs = zip(examples, parts, strict=True)
    return [np.concatenate([np.atleast_1d(part) for _, part in group]) for _, group in groupby(pairs, itemgetter(0))]


def add_labels(rows: list[dict], tags: Sequence[Sequence[int]], classes: int) -> None:
    """Give the windows of some sentences, whose tags are ids (N, words), the columns `labels`, `before` and `last`.

    Raises InputError, naming the row, for ids outside of 0 to `classes` - 1, and for more or fewer ids than words.
    """
    for example, group in groupby(rows, key=itemgetter("example")):
        own, ids = list(group), list(tags[example])
        words = sum(row["length"] for row in own)
        if len(ids) != words:
            raise InputError(f"row {example + 1} has {words} words and {len(ids)} tags; give each word one tag")
        wrong = [tag for tag in ids if not 0 <= tag < classes]
        if wrong:
            raise InputError(f"tag id {wrong[0]} in row {example + 1} must lie from 0 to {classes - 1}")
        done = 0
        for row in own:
            end = done + row["length"]
            row |= {"labels": ids[done:end], "before": ids[done - 1] if done else IGNORE, "last": end == words}
            done = end
