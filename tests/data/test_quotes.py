"""A lone quotation mark never swallows rows, whatever stands between the columns."""

import csv
import io

import numpy as np
import pytest

from helpers.data import files
from helpers.errors import InputError


def lines(mark: str, count: int = 40) -> list[str]:
    return [f"text{mark}label", *(f"row {i} is fine{mark}{'pos' if i % 2 else 'neg'}" for i in range(count))]


@pytest.mark.parametrize("suffix, mark", [(".csv", ","), (".csv", ";"), (".tsv", "\t")])
def test_two_lone_marks_at_the_beginning_of_cells_are_refused(tmp_path, suffix, mark):
    rows = lines(mark)
    rows[5], rows[25] = f'"Great film{mark}pos', f'"Dreadful film{mark}neg'
    path = tmp_path / f"rows{suffix}"
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    with pytest.raises(InputError, match="quotes") as error:
        files.read(path)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("seed", range(30))
@pytest.mark.parametrize("mark", [",", ";"])
def test_what_a_csv_writer_writes_is_read_as_it_was(tmp_path, mark, seed):
    random = np.random.default_rng(seed)
    letters = ['"', "'", mark, "a", " ", "\n", "é", "x"]
    texts = ["t" + "".join(random.choice(letters, size=random.integers(1, 12))) for _ in range(20)]
    stream = io.StringIO()
    writer = csv.writer(
        stream, delimiter=mark, quoting=[csv.QUOTE_MINIMAL, csv.QUOTE_ALL][seed % 2], lineterminator="\n"
    )
    writer.writerows([["text", "label"], *([text, "x"] for text in texts)])
    path = tmp_path / "rows.csv"
    path.write_text(stream.getvalue(), encoding="utf-8")
    assert files.read(path)["text"].tolist() == texts


def test_letters_after_a_closing_mark_swallow_nothing(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text('text,label\n"Good" movie,pos\n"a" ,neg\n', encoding="utf-8")
    assert files.read(path)["text"].tolist() == ["Good movie", "a "]


@pytest.mark.parametrize("text", ['He said "hi" to me', '5" pipes and 6" pipes', "it's"])
def test_marks_inside_a_cell_that_is_not_quoted_are_letters(tmp_path, text):
    path = tmp_path / "rows.csv"
    path.write_text(f"text,label\n{text},x\nb,y\n", encoding="utf-8")
    assert files.read(path)["text"].tolist() == [text, "b"]
