"""The likelihood of texts under a decoder, and the labels of a row, token by token."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from datasets import Dataset
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from helpers.tasks.base import IGNORE, Task
from helpers.tasks.generation.rows import plain_ids
from helpers.tasks.generation.task import Generation


def likelihood(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, texts: Sequence[str]) -> np.ndarray:
    """log p of plain texts and the number of tokens behind it, shape (N, 2), as `Generation.per_row` returns them.

    A text's first token is given and its end does not count, so this measures how well a model predicts the language;
    measured before and after fine-tuning, what it has forgotten.
    """
    ids = plain_ids(tokenizer, list(texts))
    rows = Dataset.from_list([{"input_ids": row, "counts": [0] + [1] * (len(row) - 1)} for row in ids])
    task = Generation(template="plain")
    sums = np.array(Task.infer(task, model, rows))  # also of a text of one token, of which nothing counts
    return task.per_row(sums, task.loss_terms(rows))


def token_table(tokenizer: PreTrainedTokenizerBase, row: dict) -> pd.DataFrame:
    """One encoded row, one line per token: its text, its id, and its label: the id again where it counts, else -100."""
    labels = [token if counts else IGNORE for token, counts in zip(row["input_ids"], row["counts"], strict=True)]
    texts = [tokenizer.decode([token]) for token in row["input_ids"]]
    table = pd.DataFrame({"token": [repr(text)[1:-1] for text in texts], "id": row["input_ids"], "label": labels})
    return table.rename_axis("position")
