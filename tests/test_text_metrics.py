"""Scores of texts agree with the libraries that define them, and their intervals with drawing the rows by hand."""

import numpy as np
import pytest
import sacrebleu
from rouge_score.rouge_scorer import RougeScorer

from helpers import evaluation, metrics
from helpers.errors import InputError

RANDOM = np.random.default_rng(0)
SENTENCE = "the cat sat on a mat and read {file} twice , then it slept ."
WORDS = np.array(SENTENCE.split())
REFERENCES = [" ".join(RANDOM.choice(WORDS, size=size)) for size in RANDOM.integers(4, 12, size=40)]
CLOSE = [" ".join([*text.split()[:-1], "end"]) for text in REFERENCES]
FAR = [" ".join(RANDOM.permutation(text.split())) for text in REFERENCES]
TEXT_METRICS = [name for name in metrics.METRICS if isinstance(metrics.load(name), metrics._TextMetric)]


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
def test_a_score_depends_on_the_sum_of_its_statistics_alone(name):
    metric = metrics.load(name)
    rows = [3, 3, 7, 20, 39]
    whole = metric.statistics(CLOSE, REFERENCES)
    assert len(whole) == len(REFERENCES)
    chosen = [[texts[i] for i in rows] for texts in (CLOSE, REFERENCES)]
    assert metric.from_sums(whole[rows].sum(0)) == pytest.approx(score(name, *chosen))


def test_an_interval_of_a_mean_is_that_of_its_rows():
    metric = metrics.load("rougeL")
    found = metric.statistics(FAR, REFERENCES)
    of_corpus, of_rows = evaluation.corpus_interval(metric, found), evaluation.interval(found[:, 0])
    assert of_corpus.value == pytest.approx(of_rows.value)
    assert of_corpus.low == pytest.approx(of_rows.low, abs=0.01)
    assert of_corpus.high == pytest.approx(of_rows.high, abs=0.01)
    assert of_corpus.n == len(REFERENCES)


def test_a_paired_difference_is_exact_where_rows_are_equal_and_clear_where_they_differ():
    metric = metrics.load("chrf")
    close, far = metric.statistics(CLOSE, REFERENCES), metric.statistics(FAR, REFERENCES)
    same = evaluation.corpus_paired(metric, close, close)
    assert (same.value, same.low, same.high) == (0, 0, 0)
    gain = evaluation.corpus_paired(metric, close, far)
    assert gain.value == pytest.approx(score("chrf", CLOSE) - score("chrf", FAR))
    assert 0 < gain.low < gain.value < gain.high
    apart = evaluation.corpus_interval(metric, close), evaluation.corpus_interval(metric, far)
    assert gain.high - gain.low < sum(found.high - found.low for found in apart)


def test_the_ladder_of_texts_ends_with_what_it_compares():
    table = evaluation.corpus_ladder(metrics.load("bleu"), {"far": FAR, "close": CLOSE}, REFERENCES)
    assert list(table.index) == ["far", "close"]
    assert table.loc["close", "last minus this"] == 0 < table.loc["far", "gain low"]
    assert table.loc["far", "bleu"] == pytest.approx(score("bleu", FAR))


def test_no_rows_and_unequal_rows_are_one_sentence():
    metric = metrics.load("chrf")
    found = metric.statistics(CLOSE, REFERENCES)
    with pytest.raises(InputError, match="at least one test row"):
        evaluation.corpus_interval(metric, found[:0])
    with pytest.raises(InputError, match="the systems have 40 and 39; score both on one test set"):
        evaluation.corpus_paired(metric, found, found[1:])
