"""What the experiments on pairs share: fine-tune a decoder, let it write, and score the texts.

Texts are written in bf16 where the processor has it: they are judged by scores, and a record says in what it was.
"""

from collections.abc import Sequence

import numpy as np
from datasets import Dataset

from experiments import recording
from helpers import Generation, Recipe, Run, fit, models
from helpers.models.inference import half_precision


def scored(scores: Sequence, texts: list[str], test: Dataset) -> dict:
    """The score of each metric, and its counts of each row, one metric's beside the other's, (N, K)."""
    references = list(test["completion"])
    result, counts = {}, []
    for metric in scores:
        result |= metric.compute(predictions=texts, references=references)
        values = metric.per_row(texts, references)
        counts.append(values if values.ndim == 2 else recording.score_counts(values))
    return result | {"n": len(texts), "counts": np.concatenate(counts, axis=1), "texts": list(texts)}


def asked(task: Generation, test: Dataset, scores: Sequence, model: str = "decoder") -> dict:
    """What the pretrained decoder answers when it is told what to do."""
    tokenizer = models.tokenizer(model)
    built = task.build(model)
    with recording.Watch() as watch, half_precision(built.device):
        answers = task.generate(built, tokenizer, task.encode(tokenizer, test))
    made = {"written_in": answers.precision} | watch.times(generation_seconds=answers.seconds)
    return scored(scores, answers.texts, test) | made


def tuned(task: Generation, train: Dataset, test: Dataset, scores: Sequence, recipe: Recipe) -> dict:
    """What a decoder answers that was fine-tuned on `train`."""
    return answered(task, *trained(task, train, recipe), test, scores)


def trained(task: Generation, train: Dataset, recipe: Recipe) -> tuple[Run, recording.Watch]:
    """A decoder fine-tuned on `train`, and who else used the machine meanwhile."""
    with recording.Watch() as watch:
        run = fit(task, task.build(), models.tokenizer("decoder"), train, recipe=recipe)
    return run, watch


def answered(task: Generation, run: Run, watch: recording.Watch, test: Dataset, scores: Sequence) -> dict:
    """What the decoder of a run answers, and what the run took."""
    with watch, half_precision(run.model.device):
        answers = task.generate(run.model, run.tokenizer, run.encode(test))
    made = {"written_in": answers.precision} | watch.times(generation_seconds=answers.seconds)
    return scored(scores, answers.texts, test) | recording.cost(run, watch) | made
