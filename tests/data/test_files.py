"""A reader's own tables are read as they stand, or refused in one sentence."""

import pandas as pd
import pytest

from helpers.data import files
from helpers.errors import InputError


def write(path, content: str | bytes):
    path.write_bytes(content.encode("utf-8") if isinstance(content, str) else content)
    return path


GOOD = [{"text": f"text number {i}, with a comma", "label": ["no", "yes"][i % 2]} for i in range(24)]


def test_fields_without_a_column_and_open_quotes_are_refused(tmp_path):
    (tmp_path / "a.csv").write_text("text,label\nGood film, really,pos\nBad film, really,neg\n", encoding="utf-8")
    with pytest.raises(InputError, match="more fields than the 2 columns of the header"):
        files.read(tmp_path / "a.csv")
    (tmp_path / "b.tsv").write_text('text\tlabel\n"Bad start\tneg\nGood\tpos\nNice" end\tneg\n', encoding="utf-8")
    with pytest.raises(InputError, match="text in row 1 runs over a tab or line end"):
        files.read(tmp_path / "b.tsv")
    # Two marks that belong to two texts, and close as if they were one field.
    (tmp_path / "c.tsv").write_text('text\tlabel\n"Bad start\tneg\nGood\tpos\nNice end"\tneg\n', encoding="utf-8")
    with pytest.raises(InputError, match="text in row 1 runs over a tab or line end"):
        files.read(tmp_path / "c.tsv")


def test_a_field_that_swallows_lines_without_tabs_is_refused_unless_its_quotes_are_good(tmp_path):
    path = write(tmp_path / "a.tsv", 'text\n"Bad start\nGood\nNice" end\n')
    with pytest.raises(InputError, match="text in row 1 runs over"):
        files.read(path)


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".tab"])
def test_a_header_without_rows_is_one_sentence(tmp_path, suffix):
    path = write(tmp_path / f"a{suffix}", "text\tlabel\n" if suffix != ".csv" else "text,label\n")
    with pytest.raises(InputError, match="holds no rows; give a file with at least one"):
        files.read(path)


def test_a_shuffled_frame_is_read_in_the_order_of_its_rows(tmp_path):
    shuffled = pd.DataFrame(GOOD).sample(frac=1, random_state=0)
    shuffled.to_parquet(tmp_path / "a.parquet")
    assert files.read(tmp_path / "a.parquet")["text"].tolist() == shuffled["text"].tolist()


def test_tabs_or_line_ends_in_good_quotes_belong_to_the_field(tmp_path):
    path = tmp_path / "a.tsv"
    path.write_bytes(b'text\tlabel\r\n"1\t2, ""three"""\tpos\r\n"one\r\ntwo"\tneg\r\n' + b"x" * 200_000 + b"\tneg\r\n")
    rows = files.read(path)
    assert rows["text"].str[:12].tolist() == ['1\t2, "three"', "one\r\ntwo", "x" * 12] and rows.shape == (3, 2)
