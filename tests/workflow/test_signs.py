"""Signs of a run that has not learnt: each is told where it is planted, and a healthy run tells nothing."""

import numpy as np
import pytest
import tiny
import tiny_decoder
from datasets import Dataset

from helpers.workflow import signs


@pytest.mark.parametrize("seed", range(20))
def test_the_shares_of_unknown_tokens_and_lost_characters_are_what_was_planted(seed):
    random = np.random.default_rng(seed)
    words = [["w1", "never", signs.REPLACEMENT * 2][i] for i in random.integers(3, size=int(random.integers(1, 60)))]
    cuts = sorted(random.integers(0, len(words) + 1, size=3))
    texts = [" ".join(words[start:end]) for start, end in zip([0, *cuts], [*cuts, len(words)], strict=True)]
    unknown, replaced = signs.unreadable_share(tiny.tokenizer(), texts)
    assert unknown == pytest.approx(np.mean([word != "w1" for word in words]))
    assert replaced == pytest.approx("".join(texts).count(signs.REPLACEMENT) / len("".join(texts)))


def test_no_texts_and_byte_level_tokenizers_have_nothing_unknown():
    assert signs.unreadable_share(tiny.tokenizer(), []) == signs.unreadable_share(tiny.tokenizer(), [""]) == (0, 0)
    assert signs.unreadable_share(tiny_decoder.tokenizer(), ["w1 \u4e2d\u6587", "\U0001f600"]) == (0, 0)


def test_rows_that_the_model_cannot_read_are_told_with_a_remedy():
    assert signs.unreadable(tiny.tokenizer(), tiny.rows()) == []
    rows = Dataset.from_dict({"text": ["w1 \u4e2d \u6587"] * 3 + ["w1"] * 3, "group": [signs.REPLACEMENT * 99] * 6})
    (sentence,) = signs.unreadable(tiny.tokenizer(), rows)
    assert sentence.startswith("50% of the tokens of the training rows are unknown")
    assert signs.MULTILINGUAL in sentence
    lost = Dataset.from_dict({"tokens": [["w1", f"w2{signs.REPLACEMENT}"]] * 4, "tags": [[0, 1]] * 4})
    assert [sentence[:26] for sentence in signs.unreadable(tiny_decoder.tokenizer(), lost)] == [
        "20% of the characters of t"
    ]


def test_every_text_of_a_row_is_read_and_what_is_none_is_not():
    turns = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]
    rows = Dataset.from_list([{"messages": turns, "group": "g", "label": 1}])
    assert sorted(signs.texts_of(rows)) == ["a", "b"]
    row = {"question": "q", "context": "c", "answers": {"text": ["t"], "answer_start": [0]}, "source": "s"}
    assert sorted(signs.texts_of(Dataset.from_list([row]))) == ["c", "q", "t"]
