"""Metrics of texts that a model wrote."""

from itertools import pairwise

import numpy as np
import sacrebleu

from helpers.metrics.base import CountMetric, TextMetric
from helpers.text import words


class _Sacrebleu(CountMetric):
    """A score of the library sacrebleu, whose `signature` says with which settings it was computed."""

    highest = 100.0

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

    selection_metric = "bleu"
    citation = "Papineni et al. 2002, BLEU; Post 2018, A Call for Clarity in Reporting BLEU Scores"

    def __init__(self, tokenize: str = "13a"):
        super().__init__(sacrebleu.BLEU(tokenize=tokenize))


class Chrf(_Sacrebleu):
    """F score, recall counting twice, of the n-grams of 1 to 6 characters, blanks left out; 0 to 100."""

    selection_metric = "chrf"
    citation = "Popovic 2015, chrF: character n-gram F-score for automatic MT evaluation"

    def __init__(self):
        super().__init__(sacrebleu.CHRF())


class _Rouge(TextMetric):
    """ROUGE of English texts: words in lower case, stemmed."""

    citation = "Lin 2004, ROUGE: A Package for Automatic Evaluation of Summaries"

    def __init__(self):
        from rouge_score.rouge_scorer import RougeScorer  # here, because it loads all of nltk, which takes two seconds

        super().__init__()
        self.scorer = RougeScorer([self.selection_metric], use_stemmer=True)

    def value(self, prediction, reference):
        return self.scorer.score(reference, prediction)[self.selection_metric].fmeasure


class Rouge1(_Rouge):
    """Mean over the rows of the F score of their words, in any order."""

    selection_metric = "rouge1"


class Rouge2(_Rouge):
    """Mean over the rows of the F score of their pairs of words."""

    selection_metric = "rouge2"


class RougeL(_Rouge):
    """Mean over the rows of the F score of their longest common subsequence of words."""

    selection_metric = "rougeL"


class LengthRatio(CountMetric):
    """Characters of all predictions for each character of all references; 1 where they are as long."""

    selection_metric = "length_ratio"

    def per_row(self, predictions, references):
        return np.array([[len(p), len(r)] for p, r in zip(predictions, references, strict=True)], dtype=float)

    def from_counts(self, means):
        return means[..., 0] / means[..., 1]


class Repetition(TextMetric):
    """Mean over the rows of the share of a prediction's pairs of words that stood in it before; 0 where none did."""

    selection_metric = "repetition"

    def value(self, prediction, reference):
        tokens = words(prediction)
        pairs = list(pairwise(tokens))
        return 1 - len(set(pairs)) / len(pairs) if pairs else 0.0


class Verbatim(TextMetric):
    """Share of predictions that equal their reference, blanks at the ends aside."""

    selection_metric = "verbatim"

    def value(self, prediction, reference):
        return float(prediction.strip() == reference.strip())
