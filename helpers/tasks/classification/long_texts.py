"""Texts that are longer than the `max_length` tokens that a model reads: their head, both ends, or windows.

Texts go in and shorter texts come out, cut between tokens, so that every system can read the same piece.
"""

from collections.abc import Sequence

from datasets import Dataset
from transformers import PreTrainedTokenizerBase

from helpers.text import AS_TEXT

GAP = " ... "


def head(tokenizer: PreTrainedTokenizerBase, texts: Sequence[str], max_length: int) -> list[str]:
    """The beginning of each text: what fits into `max_length` tokens, special tokens included."""
    room = max_length - tokenizer.num_special_tokens_to_add()
    return [text[: ends[room - 1]] if len(ends) > room else text for text, _, ends in _bounds(tokenizer, texts)]


def head_and_tail(tokenizer: PreTrainedTokenizerBase, texts: Sequence[str], max_length: int) -> list[str]:
    """The first and the last tokens of each text, half of `max_length` from either end, with three dots between."""
    dots = len(tokenizer(GAP, add_special_tokens=False)["input_ids"])
    room = max_length - tokenizer.num_special_tokens_to_add()
    last = (room - dots) // 2
    first = room - dots - last
    return [
        text[: ends[first - 1]] + GAP + text[starts[-last] :] if len(ends) > room else text
        for text, starts, ends in _bounds(tokenizer, texts)
    ]


def windows(
    tokenizer: PreTrainedTokenizerBase, texts: Sequence[str], max_length: int, *, most: int = 4
) -> list[list[str]]:
    """Each text as pieces of at most `max_length` tokens that follow each other, `most` of them, from its beginning."""
    room = max_length - tokenizer.num_special_tokens_to_add()
    pieces = []
    for text, starts, ends in _bounds(tokenizer, texts):
        offsets = range(0, max(1, min(len(ends), most * room)), room)
        pieces.append([text[starts[i] : ends[min(i + room, len(ends)) - 1]] for i in offsets] if ends else [text])
    return pieces


def _bounds(tokenizer: PreTrainedTokenizerBase, texts: Sequence[str]):
    """Each text with the character positions at which its tokens begin and end, (T,) each."""
    settings = {"add_special_tokens": False, "return_attention_mask": False, "verbose": False} | AS_TEXT
    encoded = tokenizer(list(texts), return_offsets_mapping=True, **settings)
    for text, offsets in zip(texts, encoded["offset_mapping"], strict=True):
        yield text, [start for start, _ in offsets], [end for _, end in offsets]


def shortened(data: Dataset, tokenizer: PreTrainedTokenizerBase, max_length: int, piece=head) -> Dataset:
    """The rows with each `text` replaced by a piece of it: `head` or `head_and_tail`."""
    return with_texts(data, piece(tokenizer, data["text"], max_length))


def with_texts(data: Dataset, texts: list[str]) -> Dataset:
    """The rows with other texts, shape (N,)."""
    if data.column_names == ["text"]:  # without a column left, a data set forgets how many rows it has
        return Dataset.from_dict({"text": texts})
    return data.remove_columns("text").add_column("text", texts)
