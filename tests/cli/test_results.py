"""`helpers results` prints what is recorded, and quickly."""

import subprocess
import sys

import pytest

from helpers.book import ledger
from helpers.cli import results
from helpers.cli.main import main


def test_the_list_names_every_experiment_with_its_results(capsys):
    assert main(["results", "list"]) == 0
    shown = {line.split()[0]: line for line in capsys.readouterr().out.splitlines()[1:]}
    assert list(shown) == ledger.experiments() == results.names()
    assert shown["reviews-curve"].split()[1] == str(len(ledger.read("reviews-curve")))


@pytest.mark.parametrize("name", ledger.experiments())
def test_the_table_of_an_experiment_tells_the_ledgers_scores(name):
    rows = results.lines(name)
    table = results.table(rows)
    assert table["seeds"].sum() == len(rows)
    mean = {key: sum(row.get(key, 0) for row in rows) for key in ("accuracy", "rougeL", "chrf", "f1", "field_f1")}
    for score, total in mean.items():
        shown = (table[score].fillna(0) * table["seeds"]).sum() if score in table else 0
        assert shown == pytest.approx(total)


def test_what_differs_in_more_than_the_seed_stands_on_lines_of_its_own():
    rows = [
        {"system": "a", "seed": seed, "train_rows": size, "n": 9, "accuracy": score, "commit": str(seed)}
        for size, seed, score in ((4, 0, 0.5), (4, 1, 0.7), (8, 0, 0.9))
    ]
    first, second = results.table(rows).to_dict("records")
    assert first == {
        "system": "a", "train_rows": 4, "seeds": 2, "n": 9, "accuracy": 0.6, "lowest": 0.5, "highest": 0.7
    }  # fmt: skip
    assert second["train_rows"] == 8 and second["accuracy"] == 0.9


def test_an_unknown_experiment_is_told_with_those_there_are(capsys):
    assert main(["results", "show", "mine"]) == 2
    there = ", ".join(ledger.experiments())
    assert f"there is no experiment 'mine'; 'helpers results show' takes {there}" in capsys.readouterr().err
    assert main(["results", "show"]) == 2
    assert "there is no experiment 'None'" not in capsys.readouterr().err


def test_help_and_tables_load_neither_torch_nor_transformers():
    code = (
        "import sys; from helpers.cli.main import main; main(['results', 'show', 'reviews-curve']); "
        "sys.exit(sorted({'torch', 'transformers', 'datasets'} & set(sys.modules)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "fine-tuned" in done.stdout
