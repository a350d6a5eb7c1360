"""The model in the page is made anew when what makes it changes."""

import shutil
from pathlib import Path

import pytest

import helpers
from tools import page_model


@pytest.mark.parametrize("name", page_model.CODE)
def test_other_code_of_the_export_makes_another_model(tmp_path, name):
    package = Path(helpers.__file__).parent
    for each in page_model.CODE:
        (tmp_path / each).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(package / each, tmp_path / each)
    assert page_model.programs(tmp_path) == page_model.programs(package)
    (tmp_path / name).write_bytes((package / name).read_bytes() + b"\n")
    assert page_model.programs(tmp_path) != page_model.programs(package)


def test_another_version_of_a_library_makes_another_model(monkeypatch):
    package = Path(helpers.__file__).parent
    before = page_model.programs(package)
    monkeypatch.setattr(page_model, "version", lambda name: "9")
    assert page_model.programs(package) != before
