"""What the repository keeps: text that people wrote and records, and no weights, archives or files that a run made."""

import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LARGEST = 1_100_000  # bytes: the record of the mails, which thresholds and bills are derived from
KINDS = {".bib", ".cff", ".css", ".csv", ".ipynb", ".js", ".jsonl", ".lock", ".md", ".py", ".svg", ".toml", ".yml", ""}


def tracked() -> list[Path]:
    """The files of the repository that are there; none where it is no repository, as in an archive of it."""
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, encoding="utf-8").stdout
    return [path for path in map(ROOT.joinpath, listed.splitlines()) if path.is_file()]


def test_no_weights_and_no_large_file_are_in_the_repository():
    assert {path.suffix for path in tracked()} <= KINDS
    assert [path for path in tracked() if path.stat().st_size > LARGEST] == []


def test_beside_the_notebooks_lies_nothing_that_a_run_made():
    pages = [path for path in tracked() if path.is_relative_to(ROOT / "book")]
    assert [path for path in pages if path.suffix in (".csv", ".jsonl")] == []
    folders = {path.parent.name for path in tracked() if path.parent.parent == ROOT / "book"}
    assert all(name in {"_static", "appendix"} or name[:2].isdigit() for name in folders)
