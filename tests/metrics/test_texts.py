"""Scores of texts agree with the libraries that define them, and their intervals with drawing the rows by hand."""

from collections import Counter
from itertools import combinations

import numpy as np
import pytest
import sacrebleu
from rouge_score.rouge_scorer import RougeScorer

from helpers import evaluation, metrics
from helpers.metrics.base import TextMetric

RANDOM = np.random.default_rng(0)
SENTENCE = "the cat sat on a mat and read {file} twice , then it slept ."
WORDS = np.array(SENTENCE.split())
REFERENCES = [" ".join(RANDOM.choice(WORDS, size=size)) for size in RANDOM.integers(4, 12, size=40)]
CLOSE = [" ".join([*text.split()[:-1], "end"]) for text in REFERENCES]
FAR = [" ".join(RANDOM.permutation(text.split())) for text in REFERENCES]
TEXT_METRICS = [name for name in metrics.METRICS if isinstance(metrics.load(name), TextMetric)]


def score(name: str, predictions=CLOSE, references=REFERENCES) -> float:
    return metrics.load(name).compute(predictions=predictions, references=references)[name]


def test_bleu_and_chrf_are_sacrebleu_s():
    assert score("bleu") == pytest.approx(sacrebleu.corpus_bleu(CLOSE, [REFERENCES]).score)
    assert score("chrf") == pytest.approx(sacrebleu.corpus_chrf(CLOSE, [REFERENCES]).score)
    chinese = metrics.Bleu(tokenize="zh").compute(predictions=["读取这个大文件"], references=["读取这个文件"])
    assert chinese["bleu"] == pytest.approx(
        sacrebleu.corpus_bleu(["读取这个大文件"], [["读取这个文件"]], tokenize="zh").score
    )


def test_the_signature_names_settings_and_version():
    assert metrics.Bleu(tokenize="zh").signature.startswith("nrefs:1|case:mixed|eff:no|tok:zh|smooth:exp|version:")
    assert "nc:6" in metrics.Chrf().signature


@pytest.mark.parametrize("name", ["rouge1", "rouge2", "rougeL"])
def test_rouge_is_the_library_s_mean(name):
    scorer = RougeScorer([name], use_stemmer=True)
    by_hand = [scorer.score(reference, text)[name].fmeasure for text, reference in zip(FAR, REFERENCES, strict=True)]
    assert score(name, FAR) == pytest.approx(np.mean(by_hand))


@pytest.mark.parametrize(
    ("name", "predictions", "references", "expected"),
    [
        ("rouge1", ["reads files"], ["read the file"], 2 * 1 * (2 / 3) / (1 + 2 / 3)),
        ("rougeL", ["b a"], ["a b"], 0.5),
        ("length_ratio", ["abc", "a"], ["ab", "ab"], 1.0),
        ("repetition", ["a b a b a b", "a b c"], ["x", "x"], 3 / 5 / 2),
        ("repetition", ["", "one"], ["x", "x"], 0.0),
        ("verbatim", [" a b ", "a  b"], ["a b", "a b"], 0.5),
    ],
)
def test_small_scores_by_hand(name, predictions, references, expected):
    assert score(name, predictions, references) == pytest.approx(expected)


@pytest.mark.parametrize("name", ["bleu", "chrf", "rouge2", "rougeL"])
def test_a_perfect_text_is_at_the_top_and_a_shuffled_one_below_a_close_one(name):
    top = 100 if name in ("bleu", "chrf") else 1
    assert score(name, REFERENCES) == pytest.approx(top)
    assert score(name, FAR) < score(name, CLOSE) < top


@pytest.mark.parametrize("name", TEXT_METRICS)
def test_a_score_depends_on_the_means_of_its_rows_alone(name):
    metric = metrics.load(name)
    rows = [3, 3, 7, 20, 39]
    whole = metric.per_row(CLOSE, REFERENCES)
    chosen = [[texts[i] for i in rows] for texts in (CLOSE, REFERENCES)]
    means = whole[rows].mean(0)
    found = metric.from_counts(means) if metric.from_counts else means
    assert found == pytest.approx(score(name, *chosen), rel=1e-6)


def test_a_precision_of_zero_is_smoothed_as_sacrebleu_does():
    without = [" ".join(sorted(text.split())) for text in REFERENCES[:3]]
    assert score("bleu", without, REFERENCES[:3]) == pytest.approx(
        sacrebleu.corpus_bleu(without, [REFERENCES[:3]]).score
    )
    metric = metrics.load("bleu")
    assert metric.per_row(without, REFERENCES[:3])[:, 5].sum() == 0  # no four words in a row are right


@pytest.mark.parametrize("name", ["bleu", "chrf", "rougeL", "length_ratio"])
def test_the_ladder_takes_a_metric_as_it_takes_a_task(name):
    table = evaluation.ladder(metrics.load(name), {"far": FAR, "close": CLOSE}, REFERENCES)
    assert table.loc["far", name] == pytest.approx(score(name, FAR), rel=1e-6)
    assert (table["low"] <= table[name]).all() and (table[name] <= table["high"]).all()
    assert list(table["n"]) == [40, 40]


def test_a_paired_difference_of_chrf_is_sharper_than_two_intervals():
    metric = metrics.load("chrf")
    close, far = metric.per_row(CLOSE, REFERENCES), metric.per_row(FAR, REFERENCES)
    gain = evaluation.paired(close, far, score=metric.from_counts)
    apart = [evaluation.interval(rows, score=metric.from_counts) for rows in (close, far)]
    assert gain.value == pytest.approx(score("chrf", CLOSE) - score("chrf", FAR))
    assert 0 < gain.low < gain.high
    assert gain.high - gain.low < sum(found.high - found.low for found in apart)


def test_no_interval_of_chrf_or_bleu_ends_above_the_score_of_equal_texts():
    for metric in (metrics.load("chrf"), metrics.load("bleu")):
        near = metric.per_row([*REFERENCES[:-1], "another"], REFERENCES)
        settings = {"score": metric.from_counts, "highest": metric.highest}
        found = evaluation.interval(near, **settings)
        assert metric.from_counts(metric.per_row(REFERENCES, REFERENCES).mean(0)) == pytest.approx(metric.highest)
        assert 90 < found.value < found.high <= 100
        gain = evaluation.paired(near, metric.per_row(FAR, REFERENCES), **settings)
        assert gain.value < gain.high <= 100
        table = evaluation.ladder(metric, {"far": FAR, "near": [*REFERENCES[:-1], "another"]}, REFERENCES)
        assert table["high"].max() == found.high


def test_eq_chrf():
    """Equation (chrf), counted by hand, is sacrebleu's score."""

    def grams(text: str, n: int) -> Counter:
        letters = "".join(text.split())
        return Counter(letters[i : i + n] for i in range(len(letters) - n + 1))

    precisions, recalls = [], []
    for n in range(1, 7):
        pairs = [(grams(text, n), grams(reference, n)) for text, reference in zip(FAR, REFERENCES, strict=True)]
        right = sum((written & wanted).total() for written, wanted in pairs)
        precisions.append(right / sum(written.total() for written, _ in pairs))
        recalls.append(right / sum(wanted.total() for _, wanted in pairs))
    p, r = np.mean(precisions), np.mean(recalls)
    assert score("chrf", FAR) == pytest.approx(100 * (1 + 2**2) * p * r / (2**2 * p + r))


def test_eq_rouge_l():
    """Equation (rouge-l), with the subsequence found by trying all, is the library's score."""

    def is_inside(part: tuple, whole: list) -> bool:
        rest = iter(whole)
        return all(word in rest for word in part)

    for text, reference in zip(FAR[:12], REFERENCES[:12], strict=True):
        # words of letters alone, which the library neither drops nor stems
        mine, wanted = (
            [word for word in row.split() if word in ("the", "cat", "on", "mat")] for row in (text, reference)
        )
        if mine and wanted:
            sizes = [
                len(part)
                for size in range(len(mine) + 1)
                for part in combinations(mine, size)
                if is_inside(part, wanted)
            ]
            p, r = max(sizes) / len(mine), max(sizes) / len(wanted)
            expected = 2 * p * r / (p + r) if p else 0.0
            assert score("rougeL", [" ".join(mine)], [" ".join(wanted)]) == pytest.approx(expected)
