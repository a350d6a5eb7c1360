"""Metrics as `evaluate.Metric` classes that live in this package, so that no script is fetched from the Hub.

They work as those of `evaluate.load` do: `compute`, `add_batch`, and `evaluate.combine`.

Metrics of texts have the methods `per_row` and, where the score is no mean over rows, `from_counts` besides, which
`evaluation.interval`, `paired` and `ladder` take as they take those of a task.
"""

from collections.abc import Sequence
from itertools import pairwise

import datasets
import evaluate
import numpy as np
import sacrebleu
from seqeval.metrics import sequence_labeling as seqeval
from sklearn import metrics as sklearn_metrics

from helpers.errors import InputError
from helpers.texts import words

_LABELS = {"predictions": datasets.Value("int64"), "references": datasets.Value("int64")}
_PROBABILITIES = {
    "predictions": datasets.Sequence(datasets.Value("float64")),
    "references": datasets.Value("int64"),
}
_TAGS = {name: datasets.Sequence(datasets.Value("string")) for name in ("predictions", "references")}
_TEXTS = {"predictions": datasets.Value("string"), "references": datasets.Value("string")}
_INPUTS = {
    "text": "predictions, references: texts, shape (N,)",
    "int64": "predictions, references: class ids, shape (N,)",
    "float64": "predictions: probabilities, shape (N, C); references: class ids, shape (N,)",
    "string": "predictions, references: BIO tags, shape (N, words of the row)",
}


class _Metric(evaluate.Metric):
    """An `evaluate.Metric` described by its docstring."""

    columns = _LABELS
    citation = ""

    def __init__(self):
        super().__init__(keep_in_memory=True)

    def _info(self) -> evaluate.MetricInfo:
        features = datasets.Features(self.columns)
        kind = (
            "text"
            if self.columns is _TEXTS
            else getattr(features["predictions"], "feature", features["predictions"]).dtype
        )
        return evaluate.MetricInfo(
            description=self.__doc__, citation=self.citation, inputs_description=_INPUTS[kind], features=features
        )


class Accuracy(_Metric):
    """Share of predictions that equal their reference."""

    def _compute(self, predictions, references):
        return {"accuracy": float(sklearn_metrics.accuracy_score(references, predictions))}


class MacroF1(_Metric):
    """Mean over the classes of 2 TP / (2 TP + FP + FN); a class that occurs nowhere is left out."""

    def _compute(self, predictions, references):
        return {"macro_f1": float(sklearn_metrics.f1_score(references, predictions, average="macro", zero_division=0))}


class LogLoss(_Metric):
    """Mean of -log p(reference), in nats; a probability below 1e-12 counts as 1e-12."""

    columns = _PROBABILITIES

    def _compute(self, predictions, references):
        predictions, references = np.asarray(predictions), np.asarray(references)
        likelihood = predictions[np.arange(len(references)), references]
        return {"log_loss": float(-np.log(np.clip(likelihood, 1e-12, None)).mean())}


class CalibrationError(_Metric):
    """Expected calibration error: the mean distance of confidence and accuracy over ten bins of equal width.

    The confidence is the largest probability of a row; each bin counts by its rows.
    """

    columns = _PROBABILITIES
    citation = "Guo et al. 2017, On Calibration of Modern Neural Networks"

    def _compute(self, predictions, references):
        table = reliability(np.asarray(predictions), np.asarray(references))
        gap = np.abs(table["confidence"] - table["accuracy"])
        return {"calibration_error": float(np.average(gap, weights=table["rows"]))}


class _TextMetric(_Metric):
    """A score that is the mean of one value a pair of texts."""

    columns = _TEXTS
    selection = ""  # the score's name

    def value(self, prediction: str, reference: str) -> float:
        raise NotImplementedError

    def per_row(self, predictions: Sequence[str], references: Sequence[str]) -> np.ndarray:
        """The value of each pair of texts, shape (N,), whose mean is the score."""
        return np.array([self.value(*pair) for pair in zip(predictions, references, strict=True)], dtype=float)

    def _compute(self, predictions, references):
        return {self.selection: float(self.per_row(predictions, references).mean())}


class _CountMetric(_TextMetric):
    """A score that depends on the mean counts of the rows."""

    def per_row(self, predictions: Sequence[str], references: Sequence[str]) -> np.ndarray:
        """What each pair of texts adds to the counts, shape (N, K), whole numbers."""
        raise NotImplementedError

    def from_counts(self, means: np.ndarray) -> np.ndarray:
        """The score of sets of rows from their mean counts (..., K), shape (...)."""
        raise NotImplementedError

    def _compute(self, predictions, references):
        return {self.selection: float(self.from_counts(self.per_row(predictions, references).mean(0)))}


class _Sacrebleu(_CountMetric):
    """A score of the library sacrebleu, whose `signature` says with which settings it was computed."""

    def __init__(self, scorer):
        super().__init__()
        self.scorer = scorer
        self.scorer.num_refs = 1  # part of the signature

    @property
    def signature(self) -> str:
        """Settings and version, as papers print them beside the score."""
        return str(self.scorer.get_signature())

    def per_row(self, predictions, references):
        counts = self.scorer._extract_corpus_statistics(list(predictions), [list(references)])
        # The last count is N in every row: sacrebleu smooths a precision of zero by sums, which means do not tell.
        return np.array([[*row, len(counts)] for row in counts], dtype=float)

    def from_counts(self, means):
        return np.apply_along_axis(self._score, -1, np.asarray(means))

    def _score(self, means: np.ndarray) -> float:
        sums = np.rint(means[:-1] * means[-1]).astype(int)
        return self.scorer._compute_score_from_stats(sums.tolist()).score


class Bleu(_Sacrebleu):
    """Geometric mean of the precisions of 1- to 4-grams of words, times a penalty for being short; 0 to 100."""

    selection = "bleu"
    citation = "Papineni et al. 2002, BLEU; Post 2018, A Call for Clarity in Reporting BLEU Scores"

    def __init__(self, tokenize: str = "13a"):
        super().__init__(sacrebleu.BLEU(tokenize=tokenize))


class Chrf(_Sacrebleu):
    """F score, recall counting twice, of the n-grams of 1 to 6 characters, blanks left out; 0 to 100."""

    selection = "chrf"
    citation = "Popovic 2015, chrF: character n-gram F-score for automatic MT evaluation"

    def __init__(self):
        super().__init__(sacrebleu.CHRF())


class _Rouge(_TextMetric):
    """ROUGE of English texts: words in lower case, stemmed."""

    citation = "Lin 2004, ROUGE: A Package for Automatic Evaluation of Summaries"

    def __init__(self):
        from rouge_score.rouge_scorer import RougeScorer  # here, because it loads all of nltk, which takes two seconds

        super().__init__()
        self.scorer = RougeScorer([self.selection], use_stemmer=True)

    def value(self, prediction, reference):
        return self.scorer.score(reference, prediction)[self.selection].fmeasure


class Rouge1(_Rouge):
    """Mean over the rows of the F score of their words, in any order."""

    selection = "rouge1"


class Rouge2(_Rouge):
    """Mean over the rows of the F score of their pairs of words."""

    selection = "rouge2"


class RougeL(_Rouge):
    """Mean over the rows of the F score of their longest common subsequence of words."""

    selection = "rougeL"


class LengthRatio(_CountMetric):
    """Characters of all predictions for each character of all references; 1 where they are as long."""

    selection = "length_ratio"

    def per_row(self, predictions, references):
        return np.array([[len(p), len(r)] for p, r in zip(predictions, references, strict=True)], dtype=float)

    def from_counts(self, means):
        return means[..., 0] / means[..., 1]


class Repetition(_TextMetric):
    """Mean over the rows of the share of a prediction's pairs of words that stood in it before; 0 where none did."""

    selection = "repetition"

    def value(self, prediction, reference):
        tokens = words(prediction)
        pairs = list(pairwise(tokens))
        return 1 - len(set(pairs)) / len(pairs) if pairs else 0.0


class Verbatim(_TextMetric):
    """Share of predictions that equal their reference, blanks at the ends aside."""

    selection = "verbatim"

    def value(self, prediction, reference):
        return float(prediction.strip() == reference.strip())


def reliability(probabilities: np.ndarray, labels: np.ndarray, bins: int = 10) -> dict[str, np.ndarray]:
    """The reliability curve: mean confidence, accuracy and number of rows in each bin that holds any.

    Args:
        probabilities: shape (N, C).
        labels: class ids, shape (N,).
        bins: of equal width over confidences from 0 to 1; the upper edge belongs to a bin.
    """
    confidence = probabilities.max(-1)  # (N,)
    right = probabilities.argmax(-1) == labels  # (N,)
    index = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    used = np.unique(index)
    return {
        "confidence": np.array([confidence[index == i].mean() for i in used]),
        "accuracy": np.array([right[index == i].mean() for i in used]),
        "rows": np.array([(index == i).sum() for i in used]),
    }


class SpanF1(_Metric):
    """F1, precision and recall of spans, written as BIO tags, exact in both ends and in kind; all spans count alike.

    As in conlleval and seqeval's default, an `I-x` that continues nothing begins a span.
    """

    columns = _TAGS
    citation = "Tjong Kim Sang and De Meulder 2003, Introduction to the CoNLL-2003 Shared Task"

    def _compute(self, predictions, references):
        precision, recall, f1, _ = seqeval.precision_recall_fscore_support(
            references, predictions, average="micro", zero_division=0
        )
        return {"span_f1": float(f1), "span_precision": float(precision), "span_recall": float(recall)}


def spans(tags: Sequence[str]) -> set[tuple[str, int, int]]:
    """The spans that BIO tags mark, as (kind, first word, word after the last), by the rule of `SpanF1`."""
    found, kind, start = set(), None, 0
    for place, tag in enumerate([*tags, "O"]):
        if kind is not None and tag != f"I-{kind}":
            found.add((kind, start, place))
            kind = None
        if kind is None and tag != "O":
            kind, start = tag[2:], place
    return found


def span_counts(predicted: Sequence[str], reference: Sequence[str]) -> tuple[int, int, int]:
    """Spans of one row that are right, predicted and true; from their sums over rows `f1_of` makes the F1."""
    found, true = spans(predicted), spans(reference)
    return len(found & true), len(found), len(true)


def f1_of(counts: np.ndarray) -> np.ndarray:
    """F1 from counts of right, predicted and true, shape (..., 3) to (...); 0 where nothing is predicted or true."""
    right, predicted, true = np.moveaxis(np.asarray(counts, dtype=float), -1, 0)
    return 2 * right / np.maximum(predicted + true, 1e-12)


METRICS = {
    "accuracy": Accuracy,
    "macro_f1": MacroF1,
    "log_loss": LogLoss,
    "calibration_error": CalibrationError,
    "span_f1": SpanF1,
    "bleu": Bleu,
    "chrf": Chrf,
    "rouge1": Rouge1,
    "rouge2": Rouge2,
    "rougeL": RougeL,
    "length_ratio": LengthRatio,
    "repetition": Repetition,
    "verbatim": Verbatim,
}


def load(name: str) -> evaluate.Metric:
    """The metric called `name`, as `evaluate.load` would return it; InputError lists the names there are."""
    if name not in METRICS:
        raise InputError(f"there is no metric '{name}'; choose one of {', '.join(METRICS)}")
    return METRICS[name]()
