"""Several labels a text: thresholds, counts and scores, other people's files, baselines, and the shell."""

import itertools
import json

import numpy as np
import pandas as pd
import pytest
import tiny
from sklearn.metrics import f1_score

from helpers import load
from helpers.cli.main import main
from helpers.errors import InputError
from helpers.saving import model_card
from helpers.tasks.multilabel import baselines, files
from helpers.tasks.multilabel.task import MultiLabel, best_thresholds

TASK = MultiLabel(("a", "b", "c"), 32)


def made(rows: int = 200, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities that know something of the truth, and the truth, (N, 3) each."""
    random = np.random.default_rng(seed)
    truth = random.random((rows, 3)) < (0.5, 0.1, 0.02)
    return np.clip(0.3 * truth + 0.7 * random.random((rows, 3)), 0, 1).round(2), truth


@pytest.mark.parametrize("seed", range(5))
def test_the_best_threshold_of_a_label_is_found_as_by_trying_all(seed):
    probabilities, truth = made(seed=seed)
    for label, threshold in enumerate(best_thresholds(probabilities, truth)):
        scores, true = probabilities[:, label], truth[:, label]
        if not true.any():
            assert threshold == 0.5
            continue
        tried = [f1_score(true, scores >= candidate, zero_division=0) for candidate in np.linspace(0, 1.01, 203)]
        assert f1_score(true, scores >= threshold) == pytest.approx(max(tried))


def test_micro_f1_from_the_counts_of_rows_is_that_of_all_labels_together():
    probabilities, truth = made()
    task = TASK.calibrated(probabilities, truth)
    decided = task.decisions(probabilities)
    counts = task.per_row(probabilities, truth)
    assert task.from_counts(counts.mean(0)) == pytest.approx(f1_score(truth, decided, average="micro"))
    scores = task.score(probabilities, truth)
    assert scores["macro_f1"] == pytest.approx(
        np.mean([f1_score(t, d) for t, d in zip(truth.T, decided.T, strict=True)])
    )
    assert scores["exact_match"] == np.mean([(t == d).all() for t, d in zip(truth, decided, strict=True)])
    assert scores["micro_f1"] >= TASK.score(probabilities, truth)["micro_f1"]


def test_settings_that_make_no_sense_are_refused_in_one_sentence():
    for settings in ({"labels": ()}, {"labels": ("a",), "max_length": 2}, {"labels": ("a", "b"), "thresholds": (0.5,)}):
        with pytest.raises(InputError) as error:
            MultiLabel(**settings)
        assert "\n" not in str(error.value)


# Files

MARKS = {"w2": "red", "w6": "green", "w7": "blue|sky"}  # a name may hold the separator of cells in a list


def rows(count: int = 120) -> list[dict]:
    """Texts that differ, with a word for each label and words that mean nothing."""
    pairs = list(itertools.product(tiny.WORDS[20:40], tiny.WORDS[40:50]))
    own = [[mark for place, mark in enumerate(MARKS) if row >> place & 1] for row in range(count)]
    return [
        {"text": " ".join([*words, *pairs[row]]), "labels": [MARKS[word] for word in words], "film": f"film {row // 8}"}
        for row, words in enumerate(own)
    ]


def write(path, content: list[dict]):
    path.write_text("".join(json.dumps(row) + "\n" for row in content), encoding="utf-8")
    return path


def test_lists_and_cells_give_the_same_corpus(tmp_path):
    plain = [row | {"labels": ["sky" if name == "blue|sky" else name for name in row["labels"]]} for row in rows()]
    from_lists = files.corpus(write(tmp_path / "a.jsonl", plain))
    joined = pd.DataFrame(plain).assign(labels=[" ; ".join(row["labels"]) for row in plain])
    joined.to_csv(tmp_path / "a.csv", index=False)
    from_cells = files.corpus(tmp_path / "a.csv", separator=";")
    assert from_lists.labels == from_cells.labels == ("green", "red", "sky")
    assert from_lists.card.sha256 == from_cells.card.sha256
    assert from_lists.card.labels == from_cells.card.labels
    assert sum(from_lists.card.rows.values()) == 120


def test_no_text_and_no_group_stands_in_two_splits(tmp_path):
    corpus = files.corpus(write(tmp_path / "a.jsonl", [*rows(), *rows()[:9]]), group="film")
    assert corpus.card.removed["duplicate"] == 9
    for column in ("text", "group"):
        sets = [set(part[column]) for part in corpus.data.values()]
        assert sum(map(len, sets)) == len(set.union(*sets))


def test_the_same_text_with_other_labels_is_left_out(tmp_path):
    torn = rows()[5] | {"labels": ["red", "green", "blue|sky"]}
    with pytest.warns(UserWarning, match="2 rows of .* have the text of another row and another label"):
        found = files.corpus(write(tmp_path / "a.jsonl", [*rows(), torn]))
    assert found.card.removed["same text, other label"] == 2


@pytest.mark.parametrize(
    "change, sentence",
    [
        ({"labels": [7]}, r"labels in row 3 of '.*' are \[7\]; write a list of names"),
        ({"labels": {"red": 1}}, "labels in row 3 of '.*' are an object; write a list of names"),
        ({"text": " "}, "text in row 3 of '.*' is empty"),
        ({"labels": ["very rare"]}, None),
    ],
)
def test_what_is_wrong_with_a_row_is_one_sentence(tmp_path, change, sentence):
    content = rows()
    content[2] |= change
    path = write(tmp_path / "a.jsonl", content)
    if sentence is None:  # one row with a label: it is in train, or the sentence names the label
        try:
            assert "very rare" in files.corpus(path).card.labels["train"]
        except InputError as error:
            assert "label 'very rare' is so rare in" in str(error)
        return
    with pytest.raises(InputError, match=sentence) as error:
        files.corpus(path)
    assert "\n" not in str(error.value)


def test_rows_without_any_label_and_labels_that_training_lacks_are_named(tmp_path):
    bare = write(tmp_path / "bare.jsonl", [row | {"labels": []} for row in rows()])
    with pytest.raises(InputError, match=r"no row of '.*' has a label"):
        files.corpus(bare)
    parts = {name: write(tmp_path / f"{name}.jsonl", rows()[start::3]) for start, name in enumerate("abc")}
    other = write(tmp_path / "other.jsonl", [{"text": "w59 w58", "labels": ["grey"]}])
    with pytest.raises(InputError, match=r"label 'grey' in row 1 of '.*' is not one of blue\|sky, green, red"):
        files.corpus(parts["a"], validation=other, test=parts["b"])
    with pytest.raises(InputError, match="has no column 'labels'; it has x"):
        files.corpus(write(tmp_path / "x.jsonl", [{"x": 1}]))


# Baselines and the shell


def test_the_baselines_decide_and_the_regression_learns_what_words_tell(tmp_path):
    corpus = files.corpus(write(tmp_path / "a.jsonl", rows()))
    task = MultiLabel.for_corpus(corpus)
    truth = task.references(task.encode(tiny.tokenizer(), corpus.data["test"]))
    systems = baselines.ladder(corpus.data, task)
    assert all(set(np.unique(found)) <= {0.0, 1.0} and found.shape == truth.shape for found in systems.values())
    scores = {name: task.score(found, truth)["micro_f1"] for name, found in systems.items()}
    assert scores["tf-idf"] > 0.9 > scores["most frequent"]


def test_the_shell_trains_scores_predicts_and_writes_a_card(tmp_path, capsys):
    tiny.model(dropout=0.0).bert.save_pretrained(tmp_path / "body")
    tiny.tokenizer().save_pretrained(tmp_path / "body")
    data, model = str(write(tmp_path / "a.jsonl", rows())), str(tmp_path / "model")
    fast = ["--learning-rate", "3e-2", "--epochs", "30", "--batch-rows", "16", "--max-length", "32", "--dropout", "0"]
    train = ["train", "--task", "multilabel", "--data", data, "--output", model, "--model", str(tmp_path / "body")]
    assert main([*train, *fast]) == 0
    printed = capsys.readouterr().out
    assert printed.split()[0] == "micro_f1" and "tf-idf" in printed and "fine-tuned" in printed
    assert load(model).task.thresholds is not None
    assert main(["evaluate", model, "--data", data, "--baselines", data]) == 2  # the same texts on both sides
    capsys.readouterr()
    content = [{"text": "w2 w55", "labels": ["red"]}, {"text": "w6 w7 w56", "labels": []}]
    new = str(write(tmp_path / "new.jsonl", content))
    assert main(["evaluate", model, "--data", new]) == 0
    assert capsys.readouterr().out.startswith("micro_f1 ")
    assert main(["predict", model, "--data", new]) == 0
    first = json.loads(capsys.readouterr().out.splitlines()[0])
    assert "red" in first["labels"] and set(first["probabilities"]) == set(MARKS.values())
    assert main(["train", "--task", "multilabel", "--data", data, "--output", "x", "--head", "crf"]) == 2
    assert main(["card", model]) == 0
    card = model_card.build(model)
    assert "Each label is decided for itself" in card.text and card.data.pipeline_tag == "text-classification"
