"""TensorFlow in a Python of its own: arrays come back, what fails is told, and the pins decide about the place."""

import re
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from packaging.requirements import Requirement

from helpers.book import apart
from helpers.errors import AssetError, InputError

DOUBLE = "def main(tf, given):\n    return {'x': given['x'] * tf.two}\n"


@pytest.fixture
def stub(tmp_path, monkeypatch):
    """This Python, with a module that is called like TensorFlow."""
    (tmp_path / "tensorflow.py").write_text("import sys\n__version__ = 'stub'\ntwo = 2\nloaded = set(sys.modules)\n")
    monkeypatch.setitem(apart.QUIET, "PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(apart, "python", lambda: sys.executable)


def test_arrays_go_there_and_come_back(stub):
    x = np.arange(6, dtype=np.float32).reshape(2, 3)
    made = apart.run(DOUBLE, {"x": x})
    np.testing.assert_array_equal(made["x"], 2 * x)
    assert made["x"].dtype == np.float32 and made["version"] == "stub" and made["import_seconds"] > 0


def test_nothing_of_this_process_is_loaded_beside_it(stub):
    code = "def main(tf, given):\n    return {'both': np.array({'torch', 'pyarrow'} & tf.loaded != set())}\n"
    assert not apart.run(code, {})["both"]


def test_what_fails_there_is_told_in_one_sentence(stub):
    with pytest.raises(InputError, match=r"^the code for TensorFlow failed: KeyError: 'y'$"):
        apart.run(DOUBLE.replace("'x'", "'y'"), {"x": np.zeros(1)})


@pytest.fixture
def installs(tmp_path, monkeypatch):
    """The commands that would make the environment; each that holds a word of `fails` fails."""
    ran, fails = [], []

    def run(command, **_):
        ran.append(command)
        Path(command[-1] if "venv" in command else tmp_path).mkdir(parents=True, exist_ok=True)
        failed = any(word in command for word in fails)
        return SimpleNamespace(returncode=int(failed), stderr="a\nno such wheel\n", stdout="")

    monkeypatch.setattr(apart, "cache_dir", lambda: tmp_path / "cache")
    monkeypatch.setattr(apart, "offline", lambda: False)
    monkeypatch.setattr(apart, "find_spec", lambda name: None)
    monkeypatch.setattr(apart.subprocess, "run", run)
    return SimpleNamespace(ran=ran, fails=fails)


def test_the_environment_is_made_once_of_exact_pins(installs, monkeypatch):
    there = apart.python()
    assert apart.python() == there and len(installs.ran) == 2
    assert all(re.fullmatch(r"[\w-]+==[\d.]+(; .+)?", pin) for pin in apart.PINS)
    assert installs.ran[1][-len(apart.PINS) :] == list(apart.PINS)
    monkeypatch.setattr(apart, "PINS", (*apart.PINS, "other==1"))
    assert apart.python() != there and len(installs.ran) == 4, "other pins make another environment"


def test_one_that_could_not_be_made_is_made_anew(installs):
    installs.fails.append("pip")
    with pytest.raises(AssetError, match="cannot be made: no such wheel"):
        apart.python()
    installs.fails.clear()
    assert Path(apart.python()).is_relative_to(apart.environment()) and len(installs.ran) == 4


def test_without_network_nothing_is_tried(installs, monkeypatch):
    monkeypatch.setattr(apart, "offline", lambda: True)
    with pytest.raises(AssetError, match="HELPERS_OFFLINE"):
        apart.python()
    assert not installs.ran


def test_where_tensorflow_is_there_already_it_is_taken(installs, monkeypatch):
    monkeypatch.setattr(apart, "find_spec", lambda name: name == "tensorflow")
    assert apart.python() == sys.executable and not installs.ran


@pytest.mark.parametrize("system, machine", [("linux", "x86_64"), ("linux", "aarch64"), ("darwin", "arm64")])
def test_each_machine_gets_one_build(system, machine):
    pins = [Requirement(pin) for pin in apart.PINS]
    taken = [
        p.name for p in pins if not p.marker or p.marker.evaluate({"sys_platform": system, "platform_machine": machine})
    ]
    assert sum(name.startswith("tensorflow") for name in taken) == 1
    assert ("tensorflow-cpu" in taken) == (system == "linux" and machine == "x86_64")
