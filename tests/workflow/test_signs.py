"""Signs of a run that has not learnt: each is told where it is planted, and a healthy run tells nothing."""

import math

import numpy as np
import pandas as pd
import pytest
import tiny
import tiny_decoder
from cases import CASES
from datasets import Dataset

from helpers import Classification, Recipe, Run, scales
from helpers.tasks.extraction.spans import Span
from helpers.workflow import signs

LABELS = ("ham", "spam", "other", "rest")
ROWS = 400


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
    assert f"--model {signs.MULTILINGUAL}" in sentence and signs.MULTILINGUAL in scales.MODELS
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


def run(losses, scores, classes: int = 2, task=None) -> Run:
    """A run of ten steps an epoch, with the mean loss and the validation score of each."""
    task = task or Classification(LABELS[:classes])
    rows = []
    for epoch, (loss, score) in enumerate(zip(losses, scores, strict=True), start=1):
        rows += [{"epoch": epoch, "loss": loss} for _ in range(10)]
        rows[-1][f"validation_{task.selection_metric}"] = score
    history = pd.DataFrame(rows)
    return Run(task, None, None, history, {}, 1.0, 1.0, 1.0, 1.0, "fp32", 1, Recipe(epochs=len(losses)))


def probabilities(classes: int, sure: float, seed: int = 0, rows: int = ROWS) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities (N, C) whose highest is `sure` at most, and labels that they get right four times of five."""
    random = np.random.default_rng(seed)
    labels = np.arange(rows) % classes
    said = np.where(random.random(rows) < 0.8, labels, (labels + 1) % classes)
    own = random.uniform((1 / classes + sure) / 2, sure, size=rows)
    found = np.repeat(((1 - own) / (classes - 1))[:, None], classes, axis=1)
    found[np.arange(rows), said] = own
    return found, labels


HEALTHY = {"losses": [0.6, 0.35, 0.2, 0.15], "scores": [0.7, 0.81, 0.83, 0.84]}


@pytest.mark.parametrize("classes", [2, 3, 4])
@pytest.mark.parametrize("seed", range(5))
def test_a_healthy_run_shows_no_sign(classes, seed):
    chance = math.log(classes)
    losses = [share * chance for share in (0.85, 0.5, 0.3, 0.22)]
    found = run(losses, HEALTHY["scores"], classes)
    assert signs.of_collapse(found, *probabilities(classes, 0.97, seed)) == []


@pytest.mark.parametrize("classes", [2, 3, 4])
def test_one_class_for_all_rows_is_told_with_its_share(classes):
    predictions, labels = probabilities(classes, 0.97)
    predictions = np.eye(classes)[np.full(ROWS, 1)] * 0.9 + 0.1 / classes
    (sentence,) = signs.of_collapse(run(**HEALTHY, classes=classes), predictions, labels)
    assert sentence.startswith("'spam' is all that is predicted for the 400 validation rows, where it is right for")
    assert f"{(labels == 1).mean():.0%}" in sentence and "--epochs" in sentence
    assert signs.of_collapse(run(**HEALTHY, classes=classes), predictions, np.ones(ROWS, dtype=int)) == []


def test_a_tagger_that_finds_nothing_is_told_and_one_that_finds_little_is_not():
    tagger = CASES["tagging"].task
    found = run([0.4, 0.2, 0.15], [0.0, 0.0, 0.0], task=tagger)
    true = [np.array([0, 1, 2, 0]) for _ in range(30)]
    (sentence,) = signs.of_collapse(found, [np.zeros(4, dtype=int)] * 30, true)
    assert sentence.startswith("'O' is all that is predicted for the 30 validation rows, where it is right for 50%")
    assert signs.of_collapse(found, [*[np.zeros(4, dtype=int)] * 29, true[0]], true) == []


def test_several_labels_of_which_none_is_given_are_told():
    task, true = CASES["multilabel"].task, np.eye(3, dtype=bool)[np.arange(30) % 3]
    found = run([0.6, 0.4, 0.3], [0.1, 0.2, 0.2], task=task)
    (sentence,) = signs.of_collapse(found, np.full((30, 3), 0.1), true)
    assert sentence.startswith("no label is given to any 30 validation rows")
    assert signs.of_collapse(found, np.where(true, 0.9, 0.1), true) == []


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("answerable", [0.2, 0.8, 1.0])
def test_answers_that_are_worth_no_more_than_silence_are_told_and_good_ones_are_not(seed, answerable):
    random = np.random.default_rng(seed)
    task, found = CASES["extraction"].task, run([0.9, 0.6, 0.5], [0.2, 0.3, 0.3], task=CASES["extraction"].task)
    right = [["Lyon"] if has else [] for has in random.random(200) < answerable]
    silent = [Span(0, 0, "", -9.0)] * 200
    (sentence,) = signs.of_collapse(found, silent, right)
    share = np.mean([not texts for texts in right])
    assert sentence.startswith(f"f1 is {share:.3f} on the 200 validation rows, and {share:.3f} for answering nothing")
    good = [Span(0, 4, texts[0], 9.0) if texts and random.random() < 0.8 else silent[0] for texts in right]
    assert signs.of_collapse(found, good, right) == []
    wrong = [Span(0, 5, "Paris", 9.0)] * 200
    assert len(signs.of_collapse(found, wrong, right)) == 1
    assert (task.silent(right) == task.per_row(silent, right)).all()


@pytest.mark.parametrize("classes", [2, 3, 4])
def test_probabilities_near_chance_are_told(classes):
    least = 1 / classes + 0.2 * (1 - 1 / classes)
    assert classes != 2 or least == pytest.approx(0.6)
    for sure, told in ((least - 0.01, True), (least + 0.05, False)):
        found = signs.of_collapse(run(**HEALTHY, classes=classes), *probabilities(classes, sure))
        assert [sentence[:23] for sentence in found] == ["the highest probability"] * told


@pytest.mark.parametrize(
    ("losses", "sentence"),
    [
        ([0.70, 0.69, 0.69, 0.68], "the loss was 0.70 in the first epoch and never below 0.68, where chance is log 2"),
        ([0.03, 0.02, 0.02, 0.01], "the loss was 0.030 from the first epoch, below a tenth of log 2 = 0.69"),
        ([0.60, 0.58, 0.55, 0.40], "the loss was still falling at the end, from 0.55 to 0.40"),
    ],
)
def test_a_loss_of_chance_one_that_is_too_low_and_one_that_still_falls_are_told(losses, sentence):
    (told,) = signs.of_collapse(run(losses, HEALTHY["scores"]), *probabilities(2, 0.97))
    assert told.startswith(sentence)
    assert told.count("; ") + told.count(": ") >= 1, "what to do about it"


@pytest.mark.parametrize(
    ("scores", "told"),
    [
        ([0.5, 0.6, 0.65, 0.75], True),
        ([0.5, 0.75, 0.78, 0.79], False),  # by less than chance
        ([0.5, 0.8, 0.75, 0.7], False),
        ([0.5, 0.9], False),  # too few to tell
        ([-3.0, -2.5, -2.2, -1.9], True),  # log-likelihoods
        ([-3.0, -2.2, -2.15, -2.14], False),
    ],
)
def test_a_best_evaluation_at_the_end_is_told_if_it_gained_much(scores, told):
    losses = HEALTHY["losses"][: len(scores)]
    found = signs.of_collapse(run(losses, scores), *probabilities(2, 0.97))
    assert [sentence[:11] for sentence in found] == ["the last of"] * told


@pytest.mark.parametrize("seed", range(20))
def test_a_run_that_learns_by_and_by_shows_no_sign_whatever_its_noise(seed):
    random = np.random.default_rng(seed)
    epochs = int(random.integers(3, 20))
    progress = 1 - np.exp(-3 * np.arange(1, epochs + 1) / epochs * random.uniform(1.5, 3))
    losses = 0.69 * (1 - 0.9 * progress) + random.normal(0, 0.01, epochs)
    scores = 0.5 + 0.35 * progress + random.normal(0, 0.005, epochs)
    losses[0], scores[-1] = max(losses[0], 0.1), scores[-1] - 0.01
    assert signs.of_collapse(run(losses, scores), *probabilities(2, 0.97, seed)) == []
