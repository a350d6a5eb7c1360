"""`helpers evaluate --report`: the folder is there whole, or not at all, and its place is tried before the work."""

import errno
import json
import tempfile

import pytest
import tiny
from tiny_export import of_case, saved

from helpers.cli.main import main
from helpers.workflow import finetune, report


@pytest.fixture(scope="module")
def command(tmp_path_factory) -> list[str]:
    """What scores a tiny model, up to the name of the folder."""
    folder = tmp_path_factory.mktemp("report")
    named = [{"text": row["text"], "label": ["no", "yes"][row["label"]]} for row in tiny.rows(12)]
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in named))
    model = saved(folder / "model", of_case("classification"))
    return ["evaluate", str(model), "--data", str(folder / "rows.jsonl"), "--report"]


@pytest.mark.parametrize(
    ("stop", "code", "sentence"),
    [
        (
            OSError(errno.ENOSPC, "No space left on device"),
            1,
            "cannot be written ([Errno 28] No space left on device);",
        ),
        (KeyboardInterrupt(), 1, "interrupted"),
    ],
)
def test_a_report_that_cannot_be_finished_leaves_nothing(stop, code, sentence, command, tmp_path, monkeypatch, capsys):
    def stopped(*_):
        raise stop

    folder = tmp_path / "new" / "report"
    with monkeypatch.context() as patch:
        patch.setattr(report, "_page", stopped)
        assert main([*command, str(folder)]) == code
    said = capsys.readouterr()
    assert sentence in said.err and said.out.startswith("accuracy ") and not list(tmp_path.iterdir())
    assert main([*command, str(folder)]) == 0
    assert f"error analysis in {folder / 'report.html'}" in capsys.readouterr().err
    assert {"report.html", "predictions.jsonl"} <= {path.name for path in folder.iterdir()}
    assert [path.name for path in folder.parent.iterdir()] == ["report"]


def test_a_place_that_cannot_be_written_is_told_before_the_model_answers(command, tmp_path, monkeypatch, capsys):
    def refused(*_, **__):
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(tempfile, "TemporaryDirectory", refused)
    monkeypatch.setattr(finetune, "evaluate", None)
    assert main([*command, str(tmp_path / "report")]) == 1
    assert "Read-only file system" in capsys.readouterr().err
