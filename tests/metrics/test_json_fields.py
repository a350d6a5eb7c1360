"""Answers in JSON: what is valid, and the F1 of their fields by hand."""

import numpy as np
import pytest

from helpers.metrics import json_fields

FIELDS = ("name", "default")
TRUE = '{"name": "a", "default": null}'


@pytest.mark.parametrize(
    "answer",
    [
        '{"name": "a"',
        '{"name": "a"}',
        '{"name": "a", "default": 1}',
        '{"name": "a", "default": null, "more": "b"}',
        '{"name": "a", "default": null} x',
        '["a", null]',
        "NaN",
        "",
    ],
)
def test_what_is_not_strict_json_of_these_fields_is_nothing(answer):
    assert json_fields.read(answer, FIELDS) is None


def test_order_and_blanks_do_not_matter():
    assert json_fields.read(' {"default": null,"name": "a"}\n', FIELDS) == {"name": "a", "default": None}


def test_scores_by_hand():
    answers = [TRUE, '{"name": "a", "default": "1"}', "name: a"]
    counts = json_fields.counts(answers, [TRUE] * 3, FIELDS)
    assert counts.tolist() == [[2, 2, 2, 1], [1, 2, 2, 1], [0, 0, 2, 0]]
    assert json_fields.f1(counts.sum(0)) == pytest.approx(2 * 3 / (4 + 6))
    assert json_fields.validity(counts.mean(0)) == pytest.approx(2 / 3)
    assert json_fields.f1(np.stack([counts, counts]).mean(1)).shape == (2,)
