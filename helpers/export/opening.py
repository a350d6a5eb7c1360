"""A folder that answers: a saved model, or an exported graph with the certificate that it was given."""

import json
import warnings
from pathlib import Path

from helpers import saving
from helpers.errors import InputError
from helpers.export.certificate import VERSION, seal
from helpers.export.exporting import CERTIFICATE
from helpers.export.formats import FORMATS, Format, check_modules
from helpers.saving.manifest import digest
from helpers.tasks.base import Predictor

READ = (".json", ".jinja", ".model", ".onnx", ".txt")  # what a tokenizer, a task or a graph may be read from


def opened(folder: str | Path) -> Predictor:
    """What `saving.save` or `helpers export` wrote into a folder, ready for prediction.

    Raises InputError as `saving.load` does, for a form that another program answers for, for files that are not those
    that were tried, and if a module that runs a graph is missing. Certificates of earlier versions vouch for the graph
    alone, of which a warning tells.
    """
    folder = Path(folder)
    if not (folder / CERTIFICATE).is_file():
        exported = any((folder / form.file).is_file() for form in FORMATS.values())
        if exported and not any(folder.glob("*.safetensors")):
            raise InputError(
                f"'{folder}' holds an exported model without its {CERTIFICATE}, so that nothing says what was tried; "
                "bring that file back, or export the model again"
            )
        return saving.load(folder)
    form, files = _certified(folder)
    if form.library != "onnx":
        raise InputError(
            f"'{folder}' is a model for llama.cpp and Ollama, which answer with it; give the folder that it was made of"
        )
    check_modules(("onnxruntime",), f"the graph in '{folder}'")
    _check_files(folder, files)
    from helpers.export import graph

    return graph.load(folder, form)


def _certified(folder: Path) -> tuple[Format, dict[str, str]]:
    """The format of an exported folder, and the sha256 of each file that its certificate vouches for, by name."""
    try:
        about = json.loads((folder / CERTIFICATE).read_text(encoding="utf-8"))
        if (version := about.get("version", VERSION)) != VERSION:  # before all that another version may do otherwise
            raise InputError(
                f"the certificate in '{folder}' is of version {version}, and this version of helpers reads {VERSION}; "
                "take the version that exported it, or export the model again"
            )
        form = FORMATS[about["format"]]
        files = {form.file: about["sha256"]} | about.get("files", {})
        if "version" in about and about["seal"] != seal(about):
            raise ValueError("it is not as it was written")
    except InputError:
        raise
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"the certificate '{folder / CERTIFICATE}' cannot be read ({error}); export the model again"
        ) from error
    return form, files


def _check_files(folder: Path, files: dict[str, str]) -> None:
    """InputError if a file is not the one that was tried, or if one was put there that may change answers."""
    for name, sha256 in files.items():
        if not (folder / name).is_file() or digest(folder / name) != sha256:
            raise InputError(f"'{folder / name}' is not the file that was tried; export the model again")
    if len(files) == 1:
        warnings.warn(
            f"the certificate in '{folder}' is of an earlier version, which vouches for {min(files)} alone and not for "
            "the tokenizer and the labels beside it; export the model again to have all checked",
            stacklevel=3,
        )
        return
    added = {path.name for path in folder.iterdir() if path.suffix in READ} - {*files, CERTIFICATE}
    if added:
        raise InputError(
            f"'{folder}' holds {min(added)}, which was not there when the model was tried; move it elsewhere"
        )
