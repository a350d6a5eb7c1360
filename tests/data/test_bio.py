"""Other schemes of tags become BIO."""

import pytest

from helpers.data.bio import bio


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        (["I-PER", "I-PER", "I-LOC", "O", "I-LOC"], ["B-PER", "I-PER", "B-LOC", "O", "B-LOC"]),
        (["B-PER", "I-PER", "E-PER", "S-LOC"], ["B-PER", "I-PER", "I-PER", "B-LOC"]),
        (["B-PER", "L-PER", "U-LOC", "B-LOC"], ["B-PER", "I-PER", "B-LOC", "B-LOC"]),
        (["NOUN", "VERB"], ["NOUN", "VERB"]),
    ],
)
def test_other_schemes_become_bio(tags, expected):
    assert bio(tags) == expected
