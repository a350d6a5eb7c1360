"""Streams of rows and their answers: one for each row, in order, equal to those of the whole, whatever is bad."""

import random

import pytest
import tiny
import tiny_decoder
from datasets import Dataset

from helpers.data.streams import Row
from helpers.errors import ColumnError
from helpers.tasks import registry
from helpers.tasks.base import Predictor
from helpers.workflow import predict


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    return Predictor(tiny.TASK, tiny.model().eval(), tiny.tokenizer())


def read(task: str = "classification", **columns):
    return predict.reader(registry.wing(task, "files"), "made", columns)


def made(seed: int, count: int) -> list[Row]:
    """Rows of which some are blank, some nested, some lack the column, and some were bad in their file."""
    draw, rows = random.Random(seed), []
    for number in range(1, count + 1):
        text = " ".join(draw.choices(tiny.WORDS, k=draw.randint(1, 30)))
        cells = draw.choice([{"text": text}] * 6 + [{"text": " "}, {"text": ["a"]}, {"other": "x"}, {"text": None}])
        rows.append(Row(number, cells, "bad in the file" if draw.random() < 0.1 else None))
    return rows


def is_good(row: Row) -> bool:
    text = row.cells.get("text")
    return row.error is None and isinstance(text, str) and bool(text.strip())


@pytest.mark.parametrize(("seed", "window"), [(0, 1), (1, 7), (2, 64), (3, None)])
def test_each_row_has_an_answer_or_a_reason_in_order(predictor, seed, window):
    rows = [Row(0, {"text": "w1"}), *made(seed, 90)]
    windows = list(predict.outcomes(predictor, iter(rows), read(), window=window))
    outcomes = [outcome for part in windows for outcome in part]
    assert [row.number for row, _ in outcomes] == [row.number for row in rows]
    assert [answer is not None for _, answer in outcomes] == [is_good(row) for row in rows]
    assert all(row.error for row, answer in outcomes if answer is None)
    assert not any("has no column" in row.error for row, _ in outcomes if row.error), "the file is not at fault"
    good = [row.cells["text"] for row in rows if is_good(row)]
    expected = predictor.answers(Dataset.from_dict({"text": good}))
    for (_, answer), wanted in zip([pair for pair in outcomes if pair[1]], expected, strict=True):
        assert answer["label"] == wanted["label"]
        assert answer["probabilities"] == pytest.approx(wanted["probabilities"], abs=2e-6)


def test_answers_come_before_the_last_row_is_read(predictor):
    taken = []

    def rows():
        for number in range(1, 100):
            taken.append(number)
            yield Row(number, {"text": "w1"})

    windows = predict.outcomes(predictor, rows(), read(), window=8)
    assert len(next(windows)) == 8 and len(taken) == 8


def test_a_missing_column_is_told_before_any_answer(predictor):
    rows = [Row(1, {"body": "w1"}), Row(2, {"body": "w2"})]
    with pytest.raises(ColumnError, match="'made' has no column 'text'; it has body"):
        next(predict.outcomes(predictor, iter(rows), read()))
    later = predict.outcomes(predictor, iter([Row(1, {"text": "w1"}), *rows]), read(), window=1)
    assert [answer is None for part in later for _, answer in part] == [False, True, True]
    assert list(predict.outcomes(predictor, iter([]), read())) == []


def test_a_prompt_that_does_not_fit_is_one_bad_row():
    writer = Predictor(tiny_decoder.PLAIN, tiny_decoder.model(), tiny_decoder.tokenizer())
    rows = [Row(4, {"prompt": "ab"}), Row(5, {"prompt": "ab" * 500}), Row(6, {"prompt": "ba"})]
    (part,) = predict.outcomes(writer, iter(rows), read("generation"))
    assert [answer is None for _, answer in part] == [False, True, False]
    assert "row 5 " in part[1][0].error
