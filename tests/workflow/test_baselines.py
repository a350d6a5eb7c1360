"""Baselines of a saved model learn from all rows of a file, and choose their settings on rows that they do not fit."""

import numpy as np
import pandas as pd
import pytest
import tiny
from datasets import concatenate_datasets

from helpers import Classification
from helpers.errors import InputError
from helpers.tasks.classification import baselines
from helpers.tasks.registry import wing
from helpers.workflow.baselines import taught

TASK = Classification(("no", "yes"), 32)


def file(path, rows) -> str:
    frame = rows.to_pandas()
    frame.assign(label=frame["label"].map({0: "no", 1: "yes"})).to_csv(path, index=False)
    return str(path)


def test_the_majority_is_that_of_all_rows_and_the_model_is_fitted_to_all(tmp_path, monkeypatch):
    rows, test = tiny.rows(400), tiny.rows(40, seed=9)
    fitted = []
    before = baselines.LogisticRegression.fit
    monkeypatch.setattr(
        baselines.LogisticRegression, "fit", lambda self, x, y: fitted.append(len(y)) or before(self, x, y)
    )
    monkeypatch.setattr(wing("classification", "files"), "check_apart", lambda *_: None)  # w1 may stand in both
    given = taught(TASK, file(tmp_path / "a.csv", rows), file(tmp_path / "b.csv", test))
    assert np.allclose(given["majority"][0], np.bincount(rows["label"]) / 400)
    assert fitted == [350] * len(baselines.STRENGTHS) + [400]
    validation = file(tmp_path / "c.csv", tiny.rows(50, seed=8))
    fitted.clear()
    same = taught(TASK, tmp_path / "a.csv", tmp_path / "b.csv", validation=validation)
    assert fitted == [400] * len(baselines.STRENGTHS) and np.allclose(same["majority"], given["majority"])


def test_what_is_chosen_and_fitted_again_is_what_fitting_all_with_it_gives():
    rest, validation, test = tiny.rows(150), tiny.rows(50, seed=8), tiny.rows(40, seed=9)
    every = concatenate_datasets([rest, validation])
    chosen = baselines.tfidf(every, validation, test, rest)
    each = []
    for strength in baselines.STRENGTHS:  # one candidate alone is always chosen
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(baselines, "STRENGTHS", (strength,))
            each.append(baselines.tfidf(every, validation, test))
    assert sum(np.allclose(chosen, one) for one in each) == 1


def test_a_shared_text_and_a_label_that_the_model_lacks_are_refused(tmp_path):
    test = file(tmp_path / "b.csv", tiny.rows(40, seed=9))
    with pytest.raises(InputError, match=r"texts of '.*b.csv' stand in '.*b.csv' too"):
        taught(TASK, test, test)
    pd.DataFrame({"text": ["v1", "v2"], "label": ["no", "maybe"]}).to_csv(tmp_path / "a.csv", index=False)
    with pytest.raises(InputError, match=r"label 'maybe' in row 2 of '.*a.csv' is not one of no, yes"):
        taught(TASK, tmp_path / "a.csv", test)
