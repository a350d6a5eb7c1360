"""Examples before a prompt, the same for all rows or those nearest to each, and what is written after them."""

import numpy as np
import tiny_decoder
import torch
from datasets import Dataset

from experiments import prompting
from helpers import Generation

ROWS = Dataset.from_list([{"prompt": f"entry {i}\nJSON:\n", "completion": f'{{"n": {i}}}'} for i in range(20)])


def test_drawn_examples_are_the_same_for_all_rows_and_others_for_another_seed():
    first, again, other = (prompting.drawn(ROWS, ROWS.select(range(4)), 3, seed) for seed in (0, 0, 1))
    assert len(first) == 4 and len(set(first)) == 1 and first == again and first != other
    assert first[0].count("JSON:") == 3 and first[0].endswith("}\n\n")


def test_the_nearest_examples_are_those_with_the_nearest_vectors_the_nearest_last(monkeypatch):
    angles = {text: 0.1 * i for i, text in enumerate(ROWS["prompt"])}
    monkeypatch.setattr(prompting.models, "load", lambda kind: None)
    monkeypatch.setattr(prompting.models, "tokenizer", lambda: None)
    turned = lambda body, tokenizer, texts: np.array([[np.cos(angles[t]), np.sin(angles[t])] for t in texts])  # noqa: E731
    monkeypatch.setattr(prompting, "embed", turned)
    found = prompting.nearest(ROWS.select(range(10)), ROWS.select([15]), 2)
    assert found == [f"{ROWS[8]['prompt']}{ROWS[8]['completion']}\n\n{ROWS[9]['prompt']}{ROWS[9]['completion']}\n\n"]


def test_rows_with_beginnings_of_their_own_are_answered_as_each_by_itself(monkeypatch):
    built = tiny_decoder.model()
    monkeypatch.setattr(prompting.models, "tokenizer", lambda name: tiny_decoder.tokenizer())
    monkeypatch.setattr(Generation, "build", lambda task: built)
    monkeypatch.setattr(prompting, "half_precision", lambda device: torch.autocast("cpu", enabled=False))
    task, rows = (
        Generation(template="plain", max_new_tokens=prompting.ROOM),
        Dataset.from_dict({"prompt": ["x", "yy", "z"]}),
    )
    before = ["ab", "abc abc", "b"]
    alone = [prompting.first_lines(task, [start], rows.select([i]))[0] for i, start in enumerate(before)]
    assert prompting.first_lines(task, before, rows) == alone and len(set(alone)) > 1
