"""The same labelled rows through PyTorch and through an exported graph, compared row by row."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from datasets import Dataset
from scipy.special import log_softmax, logit

from helpers.errors import InputError
from helpers.export import graph
from helpers.export.certificate import Certificate, compared
from helpers.export.formats import Format
from helpers.tasks.base import Predictor, labelled_references
from helpers.workflow.finetune import groups_of
from helpers.workflow.predict import CPU_TOKENS

_NUMBERS = ("probabilities", "margin")  # of an answer: they are compared as logits
# What the outputs of a row are in nats. The two tasks whose outputs are probabilities come first.
_NATS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "classification": np.log,
    "multilabel": logit,
    "tagging": lambda scores: log_softmax(scores, axis=-1),
    "extraction": lambda logits: log_softmax(logits, axis=-1),
}


def certificate(predictor: Predictor, folder: Path, form: Format, rows: Dataset, data: str) -> Certificate:
    """Compare the model with the graph that a folder holds."""
    exported, task = graph.load(folder, form), predictor.task
    encoded, again = predictor.encode(rows), exported.encode(rows)
    if encoded["input_ids"][:] != again["input_ids"][:]:
        raise InputError("the tokenizer beside the graph reads other tokens than the model's; save the model again")
    outputs = task.infer(predictor.model.cpu(), encoded, batch_tokens=CPU_TOKENS)
    others = exported.task.infer(exported.model, again, batch_tokens=CPU_TOKENS)
    ours = task.predictions(predictor.model, outputs, encoded)
    theirs = exported.task.predictions(exported.model, others, again)
    references = labelled_references(task, encoded)
    answers = [[_decided(task.answer(each, row)) for each, row in zip(p, rows, strict=True)] for p in (ours, theirs)]
    return Certificate(
        form=form,
        runtime=graph.RUNTIME,
        data=data,
        n=len(references),
        equal=float(np.mean([one == other for one, other in zip(*answers, strict=True)])),
        largest=_largest(task.name, outputs, others),
        **compared(exported.task, theirs, ours, references, groups_of(rows)),
    )


def _decided(answer: dict) -> dict:
    """An answer without its probabilities."""
    return {name: value for name, value in answer.items() if name not in _NUMBERS}


def _largest(task: str, outputs: list, others: list) -> float:
    """The largest difference of the outputs of any row, in nats."""
    largest = 0.0
    for pair in zip(outputs, others, strict=True):
        one, other = (_NATS[task](np.asarray(output, dtype=np.float64)) for output in pair)
        width = min(one.shape[-1], other.shape[-1])  # a span finder's row is as wide as its batch
        difference = np.abs(one[..., :width] - other[..., :width])
        largest = np.maximum(largest, difference.max(initial=0.0))  # keeps what is not a number
    return float(largest)
