"""A folder that answers: a saved model, or an exported graph with the certificate that it was given."""

import json
from pathlib import Path

from helpers import saving
from helpers.errors import InputError
from helpers.export.certificate import digest
from helpers.export.exporting import CERTIFICATE
from helpers.export.formats import FORMATS, check_modules
from helpers.tasks.base import Predictor


def opened(folder: str | Path) -> Predictor:
    """What `saving.save` or `helpers export` wrote into a folder, ready for prediction.

    Raises InputError as `saving.load` does, for a form that another program answers for, for a graph that is not the
    one that was tried, and if a module that runs it is missing.
    """
    folder = Path(folder)
    if not (folder / CERTIFICATE).is_file():
        return saving.load(folder)
    form, sha256 = _certified(folder)
    if form.library != "onnx":
        raise InputError(
            f"'{folder}' is a model for llama.cpp and Ollama, which answer with it; give the folder that it was made of"
        )
    check_modules(("onnxruntime",), f"the graph in '{folder}'")
    file = folder / form.file
    if not file.is_file() or digest(file) != sha256:
        raise InputError(f"'{file}' is not the file that was tried; export the model again")
    from helpers.export import graph

    return graph.load(folder, form)


def _certified(folder: Path) -> tuple:
    """The format of an exported folder, and the sha256 of its file, as its certificate says."""
    try:
        about = json.loads((folder / CERTIFICATE).read_text(encoding="utf-8"))
        return FORMATS[about["format"]], about["sha256"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"the certificate '{folder / CERTIFICATE}' cannot be read ({error}); export the model again"
        ) from error
