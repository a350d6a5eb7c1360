"""A predictor takes rows as people have them, and says in one sentence what it cannot take."""

import pytest
import tiny
import tiny_extraction
from cases import CASES
from datasets import Dataset

from helpers.errors import InputError
from helpers.tasks.base import Predictor


@pytest.fixture(scope="module")
def predictor():
    return Predictor(tiny.TASK, tiny.model().eval(), tiny.tokenizer())


def test_texts_dictionaries_and_data_sets_are_the_same_rows(predictor):
    texts = ["w1 w2", "w3"]
    rows = [texts, [{"text": text} for text in texts], Dataset.from_dict({"text": texts})]
    assert len({predictor.predict(each).tobytes() for each in rows}) == 1
    assert [answer["label"] in ("no", "yes") for answer in predictor.answers(texts)] == [True, True]


@pytest.mark.parametrize("rows", ["a text", {"text": "a text"}, [], 7])
def test_what_is_no_list_of_rows_is_refused(predictor, rows):
    for method in (predictor.predict, predictor.answers, predictor.score, predictor.encode):
        with pytest.raises(InputError, match=r"^rows are ") as error:
            method(rows)
        assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", CASES)
def test_no_rows_have_no_score(name):
    case = CASES[name]
    with pytest.raises(InputError, match=r"^rows are an empty data set; a score needs at least one$"):
        Predictor(case.task, None, None).score(case.rows(4).select([]))


def test_rows_without_labels_have_no_score(predictor):
    with pytest.raises(InputError, match="the rows hold no labels to compare with"):
        predictor.score(["w1"])


def test_a_task_of_two_fields_takes_no_bare_text():
    finder = Predictor(tiny_extraction.TASK, tiny_extraction.model().eval(), tiny_extraction.tokenizer())
    with pytest.raises(InputError, match="a row of the task extraction has question and context"):
        finder.predict(["Who left?"])


def test_labels_that_are_no_ids_are_named_where_they_are_read(predictor):
    named, numbered = ([{"text": "w1", "label": label}] for label in ("yes", 1))
    assert predictor.score(named) == predictor.score(numbered)
    with pytest.raises(InputError, match="label 'maybe' in row 1 is not one of no, yes"):
        predictor.score([{"text": "w1", "label": "maybe"}])
    with pytest.raises(InputError, match="label -1 in row 1 is no id from 0 to 1"):
        predictor.score([{"text": "w1", "label": -1}])
    assert predictor.predict([{"text": "w1", "label": -1}]).shape == (1, 2)  # hidden labels are not read
    case = CASES["multilabel"]
    with pytest.raises(InputError, match="label 7 in row 2 is no id from 0 to 2"):
        case.task.encode(case.tokenizer(), Dataset.from_dict({"text": ["w1", "w2"], "labels": [[0], [7]]}))


def test_texts_beyond_the_model_s_window_are_counted_as_cut():
    rows = Dataset.from_dict({"text": ["w1 " * 40, "w2"]})
    for length in (16, 32, 500):  # the tiny tokenizer's window is 32
        assert type(tiny.TASK)(("no", "yes"), length).truncated(tiny.tokenizer(), rows) == 1
