"""A saved tiny model of each task, its rows, and the call that exports it."""

from pathlib import Path

import pandas as pd
from cases import CASES
from datasets import Dataset

from helpers import saving
from helpers.data.corpus import DataCard
from helpers.export.certificate import Certificate
from helpers.export.exporting import export
from helpers.tasks.base import Predictor

CARD = DataCard("made", "here", "none", "one row", "none", {"train": 8}, {})


def saved(folder: Path, predictor: Predictor) -> Path:
    """The folder of a model without scores."""
    return saving.save(folder, predictor, recipe={}, history=pd.DataFrame({"step": [1]}), card=CARD)


def of_case(name: str) -> Predictor:
    """The tiny model of a task, not trained."""
    case = CASES[name]
    return Predictor(case.task, case.model().eval(), case.tokenizer())


def exported(folder: Path, predictor: Predictor, to: str, rows: Dataset, **more) -> Certificate:
    """Save a model in a folder, and export it to `out` beside it."""
    model = saved(folder / "model", predictor)
    return export(saving.load(model), to, rows, folder / "out", model=model, data="rows.jsonl", **more)
