"""From a saved model to an exported folder that has proved itself: the one path of `helpers export`."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from datasets import Dataset

from helpers import evaluation, saving
from helpers.errors import InputError
from helpers.export import card
from helpers.export.certificate import Certificate, rows_told
from helpers.export.formats import Format, usable
from helpers.saving import model_card
from helpers.saving.folder import scratch_folder, write_json
from helpers.tasks.base import Predictor

CERTIFICATE = "certificate.json"
Note = Callable[[str], None]


def export(
    predictor: Predictor,
    to: str,
    rows: Dataset,
    output: str | Path,
    *,
    model: str | Path,
    data: str,
    count: int | None = None,
    note: Note = lambda sentence: None,
) -> Certificate:
    """Write a model in another form into a new folder, after the file has answered labelled rows as PyTorch does.

    Args:
        predictor: the model, as `saving.load` gives it.
        to: one of `formats.FORMATS`.
        rows: labelled rows as the task takes them, best those of the test set.
        output: the new folder. It appears whole, with `certificate.json` and a card, or not at all.
        model: the folder of the model, of which the card tells.
        data: what the certificate calls the rows.
        count: how many rows are tried, drawn at random; None is what the format asks for.

    Raises InputError for a task that the form cannot hold, a module that is missing, an output that exists, no rows,
    a model that no card can be written for, and a file that answers otherwise than the model does.
    """
    saving.check_free(output)
    form, output = usable(to, predictor.task.name), Path(output)
    test = _drawn(rows, form.rows if count is None else count, data)
    own = model_card.build(model)  # before the work: a card that cannot be written would lose all of it
    _check_before(predictor, form, test, data)
    note(f"writing {form.file} and asking it, and PyTorch, for answers to {rows_told(len(test))} of {data}")
    with scratch_folder(output) as folder:
        folder.mkdir()
        certificate = _written(predictor, form, test, folder, data)
        if reason := certificate.refusal():
            rounding = form.rounded and not certificate.faults  # which no more rows would mend
            remedy = "; give more labelled rows, or export without rounding" if rounding else ""
            raise InputError(f"'{form.name}' of '{model}' is not handed over: {reason}{remedy}")
        write_json(folder / CERTIFICATE, certificate.to_dict(folder))
        card.write(folder, own, model, predictor.task, certificate, output.name)
        saving.check_free(output)
        folder.rename(output)
    return certificate


def _drawn(rows: Dataset, count: int, data: str) -> Dataset:
    """So many rows drawn at random, or all."""
    if count < 1 or len(rows) == 0:
        raise InputError(
            f"an export is tried on at least one labelled row, and {count} of the {len(rows)} of '{data}' were asked "
            "for; give a file with labelled rows, and --rows of at least 1"
        )
    return rows if len(rows) <= count else rows.shuffle(seed=0).select(range(count))


def _check_before(predictor: Predictor, form: Format, rows: Dataset, data: str) -> None:
    """InputError for what is known before the work: the form cannot hold this model, or so few rows cannot show it."""
    if form.library == "gguf":
        from helpers.export import gguf_file

        gguf_file.check(predictor.model, form)
    if not form.rounded or predictor.task.from_counts is not None:
        return
    count = len(rows)
    low = _were_all_alike(count)  # without groups: where some answers differ, what few groups say may be narrower
    if low > -form.loss:
        return
    enough = next(n for n in range(count, 100_000) if _were_all_alike(n) > -form.loss)
    raise InputError(
        f"{rows_told(count)} of {data} cannot show that '{form.name}' loses less than {form.loss:g}: were all its "
        f"answers PyTorch's, the interval would still reach to {low:.3f}; give at least {enough} labelled rows"
    )


def _were_all_alike(count: int) -> float:
    """The lower end of the interval of the difference if so many rows had the same answers."""
    return evaluation.paired(np.ones(count), np.ones(count)).low


def _written(predictor: Predictor, form: Format, rows: Dataset, folder: Path, data: str) -> Certificate:
    """Write the model into a folder, and compare what it answers there."""
    if form.library == "gguf":  # each needs its part of the optional extra
        from helpers.export import replay_texts

        replay_texts.write(predictor, form, folder)
        return replay_texts.certificate(predictor, folder, form, rows, data)
    from helpers.export import graph, replay_graph

    graph.write(predictor, form, rows, folder)
    return replay_graph.certificate(predictor, folder, form, rows, data)
