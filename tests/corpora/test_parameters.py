"""Parameters as JSON: entries of both styles, what is true by the code, and whole libraries on one side."""

import json

import pytest

from helpers import corpora
from helpers.corpora import parameters
from helpers.errors import InputError

NUMPY = '''
def f(a, copy=True, *, kind="x", n=3, other=None):
    """Do it.

    Parameters
    ----------
    a : {'x', 'y'} or array_like, shape (n, m)
        The thing.
    copy : bool, optional
        Whether to copy. Default is True.
    kind : str, default='x'
        Its kind.
    n : int, optional
        How many.
    other : int, default=7
        The text errs.
    gone : int
        No longer there.

    Returns
    -------
    b : int
        The result.
    """
'''
GOOGLE = '''
class C:
    """Hold it.

    Args:
        path (`str` or `os.PathLike`): Where it lies.
        size (`int`, *optional*, defaults to 8):
            How large
            it is.

    Returns:
        x (`int`): nothing
    """

    def __init__(self, path, size=8):
        pass
'''


def rows(source):
    return {
        json.loads(row["completion"])["name"]: (row["prompt"], json.loads(row["completion"]))
        for row in parameters._rows(source)
    }


def test_what_is_true_stands_in_the_code_and_the_text_tells_it():
    found = rows(NUMPY)
    assert list(found) == ["a", "copy", "kind"]  # n's default is not told, the text errs on other, gone is gone
    assert found["a"][1]["type"] == "{'x', 'y'} or array_like, shape (n, m)"
    assert [fields["default"] for _, fields in found.values()] == [None, "True", "x"]
    assert found["copy"][0] == "copy : bool, optional\nWhether to copy. Default is True."


def test_google_s_style_is_read_too():
    found = rows(GOOGLE)
    assert found["path"][1] == {"name": "path", "type": "str or os.PathLike", "default": None}
    assert found["size"] == (
        "size (`int`, *optional*, defaults to 8): How large it is.",
        {"name": "size", "type": "int", "default": "8"},
    )
    assert "x" not in found


def test_the_rule_reads_what_is_regular():
    for source in (NUMPY, GOOGLE):
        for prompt, fields in rows(source).values():
            assert json.loads(parameters.rule(prompt)) == fields
    assert json.loads(parameters.rule("x : int\nThe default value is 3."))["default"] == "value"


def test_whole_libraries_are_held_out_and_every_row_is_strict_json():
    corpus = corpora.load("parameters")
    groups = {name: set(part["group"]) for name, part in corpus.data.items()}
    assert groups == {name: set(libraries) for name, libraries in parameters.LIBRARIES.items()}
    prompts = [prompt for part in corpus.data.values() for prompt in part["prompt"]]
    assert len(set(prompts)) == len(prompts) > 2000
    for row in corpus.data["test"]:
        fields = json.loads(row["completion"])
        assert tuple(fields) == parameters.FIELDS and row["prompt"].startswith(fields["name"])
        assert len(row["prompt"].split()) <= 40


def test_a_path_is_one_sentence():
    with pytest.raises(InputError, match="reads the sources of libraries and not 'x'; leave the path out"):
        corpora.load("parameters", path="x")
