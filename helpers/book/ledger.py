"""Results that take longer than a notebook may, with what is needed to trust and repeat each.

One JSON object a line in `helpers/results/<experiment>.jsonl`, shipped in the package, so that a notebook in Colab
reads them without the repository. `make results` writes them.
"""

import base64
import hashlib
import json
import os
import platform
import subprocess
import zlib
from datetime import date
from functools import cache
from importlib import metadata, resources
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from helpers.data.corpus import DataCard
from helpers.errors import InputError
from helpers.training.recipe import Recipe


def experiments() -> list[str]:
    """The names of all experiments that have results."""
    return sorted(path.name.removesuffix(".jsonl") for path in _folder().iterdir() if path.name.endswith(".jsonl"))


def read(experiment: str) -> pd.DataFrame:
    """All results of an experiment, one row each; columns as `record` wrote them. InputError if there are none."""
    path = _folder() / f"{experiment}.jsonl"
    if not path.is_file():
        raise InputError(f"the ledger holds no experiment '{experiment}'; it has {', '.join(experiments()) or 'none'}")
    return pd.DataFrame([json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()])


def record(folder: Path, experiment: str, **result) -> None:
    """Append one result, with `provenance`, to `<folder>/<experiment>.jsonl`.

    A boolean array `correct` (one value a test row), or an array `counts` (N, K) of numbers from 0 to 65535, is
    packed, so that results can be compared in pairs later.
    """
    if "correct" in result:
        result["correct"] = np.packbits(result["correct"]).tobytes().hex()
    if "counts" in result:
        counted = np.asarray(result["counts"])
        if counted.min(initial=0) < 0 or counted.max(initial=0) > 65535:
            raise InputError(f"counts reach from {counted.min()} to {counted.max()}; the ledger keeps 0 to 65535")
        packed = zlib.compress(counted.astype("<u2").tobytes(), 9)
        result["counts"] = base64.b85encode(packed).decode("ascii")
    line = json.dumps(result | provenance(folder), ensure_ascii=False, sort_keys=True)
    with (folder / f"{experiment}.jsonl").open("a", encoding="utf-8", newline="\n") as stream:
        stream.write(line + "\n")


def same_data(results: pd.DataFrame, card: DataCard) -> bool:
    """Whether all these results were made on the very texts that `card` describes.

    A corpus that is read from installed libraries changes with their versions; what is pinned by its hash does not.
    """
    return bool((results["data_sha256"] == card.sha256[:12]).all())


def correct(results: pd.DataFrame) -> np.ndarray:
    """Which test rows each result got right, shape (results, N), booleans."""
    packed = [np.frombuffer(bytes.fromhex(bits), dtype=np.uint8) for bits in results["correct"]]
    return np.stack([np.unpackbits(bits)[:n] for bits, n in zip(packed, results["n"], strict=True)]).astype(bool)


def counts(results: pd.DataFrame) -> np.ndarray:
    """The counts of each test row that each result recorded, shape (results, N, K)."""
    packed = [zlib.decompress(base64.b85decode(text)) for text in results["counts"]]
    return np.stack(
        [np.frombuffer(data, dtype="<u2").reshape(n, -1) for data, n in zip(packed, results["n"], strict=True)]
    )


def recipes(results: pd.DataFrame, *keys: str) -> pd.DataFrame:
    """How the trained ones among the results were made: one row for each value of `keys`, in the order of `results`.

    Columns: the number of `seeds`, and what is not the default of `Recipe` in any of the results, with the default
    where it was kept.
    """
    default = Recipe().to_dict()
    trained = results[[isinstance(recipe, dict) for recipe in results["recipe"]]]
    trained = trained.astype({"train_rows": int} if "train_rows" in trained else {})  # untrained ones made it floats
    settings = pd.DataFrame([default | recipe for recipe in trained["recipe"]], index=trained.index, dtype=object)
    settings = settings.drop(columns="seed")
    changed = [name for name in settings if any(value != default.get(name) for value in settings[name])]
    table = pd.concat([trained[[*keys, "seed"]], settings[changed]], axis=1)
    found = {"seed": "nunique"} | dict.fromkeys(changed, _told)
    return table.groupby(list(keys), sort=False).agg(found).rename(columns={"seed": "seeds"})


def _told(values: pd.Series) -> str:
    """All values that a group has, as text."""
    return " or ".join(f"{value:g}" if isinstance(value, float) else str(value) for value in values.unique())


@cache
def provenance(folder: Path) -> dict:
    """Commit, lock hash, versions, hardware and day of results made in the repository that holds `folder`.

    They are looked up once: a process runs the code that stood there when it started, whatever is edited meanwhile.
    """
    root = Path(_git(folder, "rev-parse", "--show-toplevel"))
    changed = _git(
        root,
        "status",
        "--porcelain",
        "--untracked-files=no",
        "--",
        "helpers/*.py",
        "helpers/*.toml",
        "tools/*.py",
        "requirements.lock",
    )
    lock = hashlib.sha256((root / "requirements.lock").read_bytes()).hexdigest()[:12]
    versions = {name: metadata.version(name) for name in ("torch", "transformers", "scikit-learn")}
    return {
        "commit": _git(root, "rev-parse", "--short=12", "HEAD") + ("+changes" if changed else ""),
        "lock": lock,
        "versions": versions,
        "hardware": hardware(),
        "day": date.today().isoformat(),
    }


def _capabilities() -> dict:
    """What torch tells of the processor; older versions tell nothing."""
    return getattr(torch.cpu, "get_capabilities", dict)()


def hardware() -> str:
    """The GPU's name, or the processor's with the number of threads that torch uses."""
    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    name = _capabilities().get("cpu_name") or platform.processor() or platform.machine()
    return f"{name}, {torch.get_num_threads()} of {os.cpu_count()} cores"


def _folder():
    return resources.files("helpers.book").joinpath("results")


def _git(folder: Path, *words: str) -> str:
    done = subprocess.run(["git", "-C", str(folder), *words], capture_output=True, text=True, check=True)
    return done.stdout.strip()
