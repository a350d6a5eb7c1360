"""Signs that a run has not learnt what its rows hold: each is one sentence with the number and what to do about it."""

from collections.abc import Iterator, Sequence
from typing import Any

from datasets import Dataset
from transformers import PreTrainedTokenizerBase

UNREADABLE = 0.05  # a share of unknown tokens, or of replacement characters, above which a model misses too much
REPLACEMENT = "\N{REPLACEMENT CHARACTER}"  # what a decoder of bytes writes for those that it cannot read
MULTILINGUAL = "FacebookAI/xlm-roberta-base"  # 100 languages (Conneau et al. 2020)
_NO_TEXT = ("group", "date", "source", "role")  # columns and keys whose strings no model reads


def unreadable_share(tokenizer: PreTrainedTokenizerBase, texts: Sequence[str]) -> tuple[float, float]:
    """The share of tokens that are unknown to a model, and of characters that are U+FFFD; 0 and 0 for no texts."""
    texts = list(texts)
    ids = tokenizer(texts, add_special_tokens=False, verbose=False)["input_ids"] if texts else []
    tokens, unknown = sum(map(len, ids)), sum(row.count(tokenizer.unk_token_id) for row in ids)
    characters, replaced = sum(map(len, texts)), sum(text.count(REPLACEMENT) for text in texts)
    return unknown / max(1, tokens), replaced / max(1, characters)


def unreadable(tokenizer: PreTrainedTokenizerBase, rows: Dataset) -> list[str]:
    """One sentence each if more than a twentieth of what the rows hold is unknown to the model, or was lost before."""
    unknown, replaced = unreadable_share(tokenizer, texts_of(rows))
    told = []
    if unknown > UNREADABLE:
        told.append(
            f"{unknown:.0%} of the tokens of the training rows are unknown to this model, which cannot tell them "
            f"apart; take a model that was trained on such texts, such as {MULTILINGUAL} (--model) for other "
            "languages than English"
        )
    if replaced > UNREADABLE:
        told.append(
            f"{replaced:.0%} of the characters of the training rows are U+FFFD, which stands for a character that was "
            "lost; write the file again from its source, in UTF-8"
        )
    return told


def texts_of(rows: Dataset) -> list[str]:
    """All strings of the rows that a model may read: texts, words, turns, questions and answers."""
    return list(_strings({name: rows[name][:] for name in rows.column_names}))


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, item in value.items():
            if key not in _NO_TEXT:
                yield from _strings(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _strings(item)
