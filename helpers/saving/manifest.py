"""The files of a saved model that decide its answers, with the hash of each: one that was changed is told, not read.

transformers fills in what a damaged folder lacks, and answers. So `files.json` holds the sha256 of weights,
configuration, tokenizer and task, and nothing of them is opened before the hashes agree.
"""

import hashlib
import json
from pathlib import Path

from helpers.errors import InputError

NAME = "files.json"
TOLD = ("recipe.json", "scores.json", "data_card.json", "history.csv")  # they tell of the model and decide nothing


def digest(file: Path) -> str:
    """The sha256 of a file, hexadecimal."""
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def write(folder: Path) -> None:
    """Write the hashes of all files that lie in a folder and decide what its model answers."""
    names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    _write(folder, {name: [digest(folder / name)] for name in names if name not in (NAME, *TOLD)})


def replace(folder: Path, name: str, written: Path) -> None:
    """Put a file that was written beside it into the place of another; stopped anywhere, the folder can be read.

    Args:
        name: of a file that the hashes are of, or of another.
        written: the new one; it is gone afterwards.
    """
    hashes = _read(folder)
    if hashes is not None and name in hashes:
        new = digest(written)
        _write(folder, hashes | {name: [*hashes[name], new]})  # until it is replaced either is right
        written.replace(folder / name)
        _write(folder, hashes | {name: [new]})
    else:
        written.replace(folder / name)


def check(folder: Path) -> None:
    """InputError if a file is missing or is not the one that was saved; folders of earlier versions have no list."""
    for name, hashes in (_read(folder) or {}).items():
        if not (folder / name).is_file():
            raise InputError(
                f"'{folder}' lacks {name}, without which its model would answer otherwise; bring that file back, or "
                "make the folder again"
            )
        if digest(folder / name) not in hashes:
            raise InputError(
                f"{name} in '{folder}' is not the file that was saved there; bring that one back, or, if you changed "
                f"it yourself, delete '{folder / NAME}', and nothing is checked any more"
            )


def _read(folder: Path) -> dict[str, list[str]] | None:
    """The hashes by name, each with those that are right; None where there is no list."""
    file = folder / NAME
    if not file.exists():
        return None
    try:
        hashes = json.loads(file.read_text(encoding="utf-8"))
        if not all(isinstance(each, list) for each in hashes.values()):
            raise ValueError("it holds something else than hashes")
        return hashes
    except (OSError, ValueError, AttributeError) as error:
        raise InputError(
            f"'{file}', which says what the files of the model are, cannot be read ({error}); bring it back, or delete "
            "it, and nothing is checked any more"
        ) from error


def _write(folder: Path, hashes: dict[str, list[str]]) -> None:
    scratch = folder / "files.writing"
    try:
        scratch.write_text(json.dumps(hashes, indent=1) + "\n", encoding="utf-8")
        scratch.replace(folder / NAME)
    finally:
        scratch.unlink(missing_ok=True)
