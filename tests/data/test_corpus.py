"""A corpus draws rows under a seed, and its prompts are framed."""

import pandas as pd
import pytest
from datasets import Dataset

from helpers.data import corpus
from helpers.errors import InputError
from helpers.tasks.classification import files


def test_a_frame_surrounds_each_prompt_whatever_it_holds():
    data = Dataset.from_dict({"prompt": ["a {name}", "{}"], "completion": ["b", "c"]})
    framed = corpus.framed(data, "{}\nFrench:\n")
    assert framed["prompt"][:] == ["a {name}\nFrench:\n", "{}\nFrench:\n"]
    assert framed["completion"][:] == ["b", "c"]


def write(path, content: str | bytes):
    path.write_bytes(content.encode("utf-8") if isinstance(content, str) else content)
    return path


GOOD = [{"text": f"text number {i}, with a comma", "label": ["no", "yes"][i % 2]} for i in range(24)]


def test_rows_are_drawn_at_random_under_a_seed(tmp_path):
    found = files.corpus(write(tmp_path / "a.csv", pd.DataFrame(GOOD).to_csv(index=False)))
    one, again, other = (found.drawn(9, seed).data["train"]["text"][:] for seed in (1, 1, 2))
    assert one == again != other and one != found.data["train"]["text"][:9]
    with pytest.raises(InputError, match=r"all 1 rows that are drawn for training have the label '\w+'; draw more"):
        found.drawn(1, 0)
