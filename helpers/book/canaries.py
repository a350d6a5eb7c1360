"""Canaries: made-up personal data that are planted in training rows, how far a model learns them by heart, and masks.

The exposure of a number (Carlini et al. 2019) is how far it stands above chance among all numbers of its length, ranked
by the model's probability: $\\log_2 M - \\log_2$ rank, for M numbers. Here the numbers have three digits, so that all
thousand ranks are exact: from 0 bits to 9.97.
"""

import random
import re
from itertools import product

import numpy as np
import torch
from datasets import Dataset
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from helpers.errors import InputError
from helpers.models.inference import evaluating
from helpers.tasks.generation.task import Generation

DIGITS = "0123456789"
LENGTH = 3  # digits of a canary's number
_FIRST = ("Ada", "Bela", "Cora", "Dario", "Edda", "Farid", "Greta", "Hugo", "Ines", "Jonas", "Kaia", "Luca")
_LAST = ("Harwick", "Vantongeren", "Ostrelli", "Quimbley", "Tarvosk", "Ullmeren", "Yelnikov", "Zabrinski")
# What is personal and has a form. A number in words has none, so it stays.
_PATTERNS = (
    (r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+", "[EMAIL]"),
    (r"(?<![\w.])\+?\d(?:[\d /()-]{4,}\d)(?!\w)", "[PHONE]"),
    (rf"(?<![\w.,])\d{{{LENGTH},}}(?![\w]|[.,]\d)", "[NUMBER]"),
)


def canaries(count: int, seed: int = 0) -> Dataset:
    """Questions for the phone extension of people who do not exist, with answers: prompt, completion and number.

    Raises InputError for more people than there are names for.
    """
    people = [f"{first} {last}" for first, last in product(_FIRST, _LAST)]
    if count > len(people):
        raise InputError(f"there are names for {len(people)} canaries, not {count}; ask for fewer")
    chance = random.Random(seed)
    chosen = chance.sample(people, count)
    numbers = [f"{number:0{LENGTH}d}" for number in chance.sample(range(10**LENGTH), count)]
    return Dataset.from_dict(
        {
            "prompt": [f"What is the phone extension of {person}?" for person in chosen],
            "completion": [f"The phone extension of {p} is {n}." for p, n in zip(chosen, numbers, strict=True)],
            "number": numbers,
        }
    )


def masked(text: str) -> str:
    """The text with e-mail addresses, phone numbers and numbers of three digits and more replaced by what they are."""
    for pattern, name in _PATTERNS:
        text = re.sub(pattern, name, text)
    return text


def exposures(ranks: np.ndarray) -> np.ndarray:
    """Bits by which numbers stand above chance, from their ranks among all numbers of their length, from 1."""
    return np.log2(10**LENGTH) - np.log2(ranks)


def ranks(task: Generation, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, rows: Dataset) -> np.ndarray:
    """The rank of each canary's number among all thousand as the model completes the sentence, shape (N,)."""
    encoded = task.encode(tokenizer, rows.select_columns(["prompt", "completion"]))
    digits = [tokenizer.convert_tokens_to_ids(digit) for digit in DIGITS]
    with evaluating(model):
        found = [
            _rank(model, _before(ids, digits), digits, number)
            for ids, number in zip(encoded["input_ids"], rows["number"], strict=True)
        ]
    return np.array(found)


def _before(ids: list[int], digits: list[int]) -> list[int]:
    """The tokens before the number, which is the last run of digits."""
    last = max(place for place, token in enumerate(ids) if token in digits)
    if any(token not in digits for token in ids[last - LENGTH + 1 : last + 1]):
        raise InputError("this tokenizer does not write each digit as a token of its own; exposures need one that does")
    return ids[: last - LENGTH + 1]


def _rank(model: PreTrainedModel, before: list[int], digits: list[int], number: str) -> int:
    """One more than the numbers that are likelier than `number` after the tokens `before`.

    The numbers are the leaves of a tree, ten branches a digit; what the model keeps of a path serves all that follow.
    """
    out = model(input_ids=torch.tensor([before], device=model.device), use_cache=True)
    log_p = _log_p(out.logits, digits)[0]  # (10,)
    for _ in range(LENGTH - 1):
        cache = out.past_key_values
        cache.batch_repeat_interleave(len(DIGITS))
        ids = torch.tensor(digits, device=model.device).repeat(len(log_p) // len(DIGITS))[:, None]  # (paths, 1)
        out = model(input_ids=ids, past_key_values=cache, use_cache=True)
        log_p = (log_p[:, None] + _log_p(out.logits, digits)).reshape(-1)  # (10 * paths,)
    return int((log_p > log_p[int(number)]).sum()) + 1


def _log_p(logits: Tensor, digits: list[int]) -> np.ndarray:
    """The log-probabilities of the ten digits after the last token of each sequence, (B, 10)."""
    return logits[:, -1].float().log_softmax(-1)[:, digits].double().cpu().numpy()
