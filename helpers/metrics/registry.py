"""Every metric by its name."""

import evaluate

from helpers.errors import InputError
from helpers.metrics.labels import Accuracy, CalibrationError, LogLoss, MacroF1
from helpers.metrics.spans import SpanF1
from helpers.metrics.texts import Bleu, Chrf, LengthRatio, Repetition, Rouge1, Rouge2, RougeL, Verbatim

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
    """The metric called `name`, as `evaluate.load` would return it; InputError for an unknown name."""
    if name not in METRICS:
        raise InputError(f"there is no metric '{name}'; choose one of {', '.join(METRICS)}")
    return METRICS[name]()
