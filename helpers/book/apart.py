"""TensorFlow for a page, in a Python of its own: beside pyarrow, which `datasets` loads, it aborts on macOS.

(Their issues 98563 and 99464 of tensorflow/tensorflow.) The environment is made once, of pinned packages, in the cache
(`helpers.assets.cache.cache_dir`); it holds 1.3 GB, which no other page needs.

    made = apart.run(code, {"x": x})  # code defines main(tf, given); both dictionaries hold arrays

`python -m helpers.book.apart` makes the environment.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

import filelock
import numpy as np

from helpers.assets.cache import cache_dir, offline
from helpers.errors import AssetError, InputError

# Of these there are wheels for Python 3.11 to 3.13, on Linux for both kinds of processors and on macOS for Apple's.
_SMALL = 'sys_platform == "linux" and platform_machine == "x86_64"'  # what TensorFlow calls its build without CUDA
PINS = (
    f"tensorflow-cpu==2.21.0; {_SMALL}",
    'tensorflow==2.21.0; sys_platform != "linux" or platform_machine != "x86_64"',
    "absl-py==2.5.1",
    "astunparse==1.6.3",
    "flatbuffers==25.12.19",
    "gast==0.7.0",
    "google-pasta==0.2.0",
    "grpcio==1.85.3",
    "h5py==3.14.0",
    "keras==3.15.1",
    "libclang==18.1.1",
    "ml_dtypes==0.6.0",
    "numpy==2.4.6",
    "opt_einsum==3.4.0",
    "optree==0.20.0",
    "protobuf==7.36.2",
    "termcolor==3.3.0",
    "wrapt==2.5.2",
)
# On a GPU TensorFlow rounds products to 10 bits, so that nothing could be compared.
QUIET = {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1", "PYTHONPATH": "", "PYTHONWARNINGS": "ignore"}
_FRAME = """\
import time
import numpy as np
import tensorflow as tf
imported = time.process_time()
{code}
made = main(tf, dict(np.load("given.npz")))
np.savez("made.npz", **made, import_seconds=imported, version=tf.__version__)
"""


def run(code: str, given: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """What `main(tf, given)` of some Python code returns, computed where TensorFlow is.

    Args:
        code: defines `main`, which gets the module `tensorflow` and the arrays, and returns arrays by name.

    Returns these and `import_seconds` (of the processor, for starting Python and importing) and `version`. Raises
    InputError with the last line of what Python said if the code fails, AssetError as `python` does.
    """
    with tempfile.TemporaryDirectory() as folder:
        np.savez(Path(folder, "given.npz"), **given)
        Path(folder, "page.py").write_text(_FRAME.format(code=code), encoding="utf-8")
        words = {"cwd": folder, "env": os.environ | QUIET, "capture_output": True, "text": True}
        done = subprocess.run([python(), "page.py"], **words)
        if done.returncode:
            said = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
            raise InputError(f"the code for TensorFlow failed: {said[-1]}")
        with np.load(Path(folder, "made.npz")) as made:
            return dict(made)


def python() -> str:
    """The Python that has TensorFlow: this one, as in Colab, else that of the environment in the cache, made if absent.

    Raises AssetError if it cannot be made.
    """
    if find_spec("tensorflow"):
        return sys.executable
    folder = environment()
    folder.parent.mkdir(parents=True, exist_ok=True)
    with filelock.FileLock(f"{folder}.lock"):
        if not (folder / "complete").exists():
            _make(folder)
    return str(_python_of(folder))


def environment() -> Path:
    """Where the environment stands: another set of pins and another Python have another."""
    named = hashlib.sha256("\n".join([sys.version, *PINS]).encode()).hexdigest()[:12]
    return cache_dir() / f"tensorflow-{named}"


def _make(folder: Path) -> None:
    if offline():
        raise AssetError("TensorFlow is not there and HELPERS_OFFLINE forbids the network; unset it once")
    shutil.rmtree(folder, ignore_errors=True)
    pip = [_python_of(folder), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    for command in ([sys.executable, "-m", "venv", folder], [*pip, *PINS]):
        done = subprocess.run([str(word) for word in command], capture_output=True, text=True)
        if done.returncode:
            said = (done.stderr or done.stdout).strip().splitlines()
            raise AssetError(f"the environment for TensorFlow cannot be made: {said[-1] if said else command}")
    (folder / "complete").touch()


def _python_of(folder: Path) -> Path:
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


if __name__ == "__main__":
    python()
