"""Corpora of pairs: what goes in and what shall come out, split without leaks."""

import ast
import json

import pandas as pd
import pytest
from datasets import Dataset

from helpers import corpora
from helpers.corpora import docstrings, strings
from helpers.data import libraries, splits
from helpers.errors import InputError

PAIRS = {"strings": {"language": "fr"}, "docstrings": {}}


@pytest.fixture(scope="module", params=PAIRS)
def corpus(request):
    return corpora.load(request.param, **PAIRS[request.param])


def test_no_prompt_and_no_group_stands_in_two_splits(corpus):
    prompts = [set(splits.normalised(pd.Series(part["prompt"][:]))) for part in corpus.data.values()]
    groups = [set(part["group"]) for part in corpus.data.values()]
    for sets in (prompts, groups):
        assert sum(map(len, sets)) == len(set.union(*sets))
    assert sum(map(len, prompts)) == sum(corpus.card.rows.values())


def test_every_row_has_text_on_both_sides_and_the_card_counts_them(corpus):
    for name, part in corpus.data.items():
        assert len(part) == corpus.card.rows[name] > 50
        assert all(text.strip() for column in ("prompt", "completion") for text in part[column])
    assert set(corpus.card.words) == {"prompt", "completion"}
    assert "labels" not in corpus.card.table().index
    assert json.loads(corpus.card.to_json())["rows"] == corpus.card.rows


def test_a_corpus_of_pairs_is_the_same_every_time(corpus):
    name = corpus.card.name.partition("-")[0]
    assert corpora.load(name, **PAIRS[name]).card.sha256 == corpus.card.sha256


def test_strings_are_sentences_with_their_placeholders():
    data = corpora.load("strings").data["train"].to_pandas()
    lengths = data["prompt"].map(lambda text: len(text.split()))
    assert lengths.between(strings.MIN_WORDS, strings.MAX_WORDS).all()
    assert not data["prompt"].str.contains(r"\n|\[|<|://").any()
    assert data["prompt"].str.contains(r"\{\w+\}").sum() > 100
    assert (data["prompt"] != data["completion"]).all()


def test_strings_of_several_components_are_in_train():
    data = corpora.load("strings").data
    assert "Device is already configured" in set(data["train"]["prompt"])
    assert strings.SHARED not in {*data["validation"]["group"], *data["test"]["group"]}


def test_xsum_is_as_counted():
    found = corpora.load("xsum")
    assert found.card.rows == {"test": 1000}
    assert found.card.words["prompt"]["50%"] > 200 > 30 > found.card.words["completion"]["50%"]


def test_a_language_that_a_corpus_lacks_is_named():
    with pytest.raises(InputError, match="'tlh'; choose one of "):
        corpora.load("strings", language="tlh")


# Docstrings


def test_a_docstring_is_its_prose_and_its_summary():
    body = "It reads the rows one by one, and keeps those that hold. " * 4
    text = f"Read the rows of a file.\n\n    {body}\n\n    See :func:`~a.b` too, as it is used.\n"
    found = docstrings.pair(text + "\n    Parameters\n    ----------\n    x : int\n")
    assert found == (f"{body.strip()} See `a.b` too, as it is used.", "Read the rows of a file.")


@pytest.mark.parametrize(
    "rest", ["Parameters\n----------\nx : int", "Args:\n    x: an int", ">>> f(1)\n2", ".. note:: a note", "- a list"]
)
def test_what_follows_a_section_a_list_or_an_example_is_left_out(rest):
    body = "It reads the rows one by one, and keeps those that hold. " * 4
    found = docstrings.pair(f"Read the rows of a file.\n\n{body}\n\n{rest}\n\nMore prose that comes too late.")
    assert found == (body.strip(), "Read the rows of a file.")


@pytest.mark.parametrize(
    "text", ["", "Only a summary line.", "No full stop\n\n" + "word " * 40, "Short body.\n\nToo short."]
)
def test_a_docstring_without_summary_or_body_is_none(text):
    assert docstrings.pair(text) is None


def test_libraries_are_read_and_never_run(tmp_path, monkeypatch):
    source = (
        'raise SystemExit("run")\ndef f():\n    """Do one thing and another.\n\n    '
        + "Prose it is. " * 12
        + '\n    """\n'
    )
    for name in ("__init__.py", "tests/test_f.py", "_private/f.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(source, encoding="utf-8")
    monkeypatch.setattr(libraries, "folder", lambda library: tmp_path)
    assert [summary for _, summary, _ in docstrings._read("numpy")] == ["Do one thing and another."]


def test_a_signature_stands_below_the_same_prose_and_names_what_is_summed_up():
    plain, named = (corpora.load("docstrings", named=each) for each in (False, True))
    assert plain.card.rows == named.card.rows and plain.card.sha256 != named.card.sha256
    for part in plain.data:
        assert list(map(docstrings.body, named.data[part]["prompt"])) == plain.data[part]["prompt"][:]
        assert named.data[part]["completion"][:] == plain.data[part]["completion"][:]
    heads = [prompt.partition("\n")[2] for prompt in named.data["test"]["prompt"]]
    assert sum(map(bool, heads)) > 0.9 * len(heads)
    assert all(head.startswith(("def ", "class ")) for head in heads if head)


@pytest.mark.parametrize(
    ("source", "line"),
    [
        ("def f(self, a, b=1, *c, d: int = 2, **e) -> int: pass", "def f(a, b, *c, d, **e)"),
        ("async def g(cls, *, a): pass", "def g(*, a)"),
        ("class H(base.Of, Other, key=1): pass", "class H(base.Of, Other)"),
        ("class I: pass", "class I"),
        (f"def long({', '.join('abcdefghij')}): pass", "def long(a, b, c, d, e, f, g, h, ...)"),
    ],
)
def test_a_signature_is_one_line_of_names(source, line):
    assert docstrings.signature(ast.parse(source).body[0]) == line


# At scale gpu


def hub_folder(folder, columns: list[str], rows: dict[str, list]) -> str:
    for split, values in rows.items():
        Dataset.from_list([dict(zip(columns, row, strict=True)) for row in values]).to_parquet(
            folder / f"{split}-00000-of-00001.parquet"
        )
    return str(folder)


def test_opus_loses_the_training_rows_that_are_tested(tmp_path):
    rows = {part: [[{"en": f"{part} sentence", "fr": f"phrase {part}"}]] for part in ("train", "validation", "test")}
    rows["train"].append([{"en": "TEST sentence!", "fr": "fuite"}])
    rows["validation"].append([{"en": "Test sentence.", "fr": "fuite"}])
    found = corpora.load("strings", path=hub_folder(tmp_path, ["translation"], rows))
    assert found.card.rows == {"train": 1, "validation": 1, "test": 1}
    assert found.data["test"][0] == {"prompt": "test sentence", "completion": "phrase test", "group": "opus"}
    assert found.card.removed["train row that stands in a later split"] == 1


def test_news_articles_are_read_in_the_hub_s_layout_and_lose_those_that_are_tested(tmp_path):
    rows = {part: [[f"Long article of {part}.", "In short."]] for part in ("train", "validation", "test")}
    rows["train"] += [["Long article of test", "Copied."], ["A long article, of validation", "Another."]]
    rows["train"] += [["long article of validation", "Copied."]]
    found = corpora.load("docstrings", path=hub_folder(tmp_path, ["article", "highlights"], rows))
    assert found.data["test"]["prompt"][:] == ["Long article of test."]
    assert found.data["test"]["completion"][:] == ["In short."]
    assert found.card.rows == {"train": 2, "validation": 1, "test": 1}


def test_xsum_is_read_in_the_hub_s_layout(tmp_path):
    found = corpora.load("xsum", path=hub_folder(tmp_path, ["document", "summary"], {"test": [["Long.", "Short."]]}))
    assert found.data["test"]["completion"][:] == ["Short."]
