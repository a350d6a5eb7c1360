"""The notebook format: one text, one file, whatever editor it went through."""

import nbformat
import pytest

from tools import notebook

DRAFT = """\
# %% [markdown]
# # A title
#
# A formula $x^2$ and an umlaut: ü.

# %%
import sys
import os
x   = {'a':1}

# %% tags=["hide-input"] mystnb={"image": {"alt": "A line."}}
print( x )

# %%
print( x )
"""


@pytest.fixture
def draft(tmp_path):
    path = tmp_path / "draft.py"
    path.write_text(DRAFT, encoding="utf-8")
    return path


def test_a_draft_becomes_a_formatted_notebook_with_the_common_first_cell(draft, tmp_path):
    target = tmp_path / "new" / "a.ipynb"
    assert notebook.main([str(draft), str(target)]) == 0
    made = nbformat.read(target, as_version=4)
    nbformat.validate(made)
    assert made.cells[0].source == notebook.first_cell().source
    assert [cell.source for cell in made.cells[1:]] == [
        "# A title\n\nA formula $x^2$ and an umlaut: ü.",
        'import os\nimport sys\n\nx = {"a": 1}',
        "print(x)",
        "print(x)",
    ]
    assert made.cells[3].metadata == {"tags": ["hide-input"], "mystnb": {"image": {"alt": "A line."}}}
    assert len({cell.id for cell in made.cells}) == len(made.cells)


def test_there_and_back_gives_the_same_bytes(draft, tmp_path):
    first, back, second = tmp_path / "a.ipynb", tmp_path / "back.py", tmp_path / "b.ipynb"
    for source, target in [(draft, first), (first, back), (back, second)]:
        assert notebook.main([str(source), str(target)]) == 0
    assert first.read_bytes() == second.read_bytes()
    assert "google.colab" not in back.read_text(encoding="utf-8")


def test_cleaning_removes_all_traces_of_a_run(draft, tmp_path):
    path = tmp_path / "a.ipynb"
    notebook.main([str(draft), str(path)])
    clean = path.read_bytes()
    used = nbformat.read(path, as_version=4)
    used.metadata["widgets"] = {"state": {}}
    used.metadata.language_info["version"] = "3.12.1"
    for number, cell in enumerate(used.cells):
        cell.id = f"cell-{number}"
        cell.metadata["execution"] = {"iopub.status.busy": "2026"}
        if cell.cell_type == "code":
            cell.execution_count = number
            cell.outputs = [nbformat.v4.new_output("stream", text="hello")]
    used.cells.append(nbformat.v4.new_code_cell("  \n"))
    nbformat.write(used, path)
    assert path.read_bytes() != clean
    assert notebook.main([str(path)]) == 0
    assert path.read_bytes() == clean


def test_a_first_cell_with_another_address_is_replaced(draft, tmp_path):
    path = tmp_path / "a.ipynb"
    notebook.main([str(draft), str(path)])
    clean = path.read_bytes()
    path.write_bytes(clean.replace(b"/OWNER/", b"/somebody/"))
    assert notebook.main([str(path)]) == 0
    assert path.read_bytes() == clean


def test_text_that_mentions_colab_stays(tmp_path):
    path = tmp_path / "draft.py"
    path.write_text("# %% [markdown]\n# In Colab, `google.colab` is imported.\n", encoding="utf-8")
    assert [cell.cell_type for cell in notebook.clean(notebook.read(path)).cells] == ["code", "markdown"]


def test_an_id_depends_on_its_own_cell_alone(draft, tmp_path):
    other = tmp_path / "other.py"
    other.write_text(DRAFT.replace("x   = {'a':1}", "x = 2"), encoding="utf-8")
    one, two = (notebook.clean(notebook.read(path)).cells for path in (draft, other))
    assert [a.id == b.id for a, b in zip(one, two, strict=True)] == [True, True, False, True, True]


@pytest.mark.parametrize("arguments", [["a.py"], ["a.py", "b.py"], ["a.ipynb", "b.py", "c.ipynb"], []])
def test_a_wrong_set_of_files_is_refused(arguments, capsys):
    with pytest.raises(SystemExit) as stopped:
        notebook.main(arguments)
    assert stopped.value.code == 2


def test_code_that_is_not_python_leaves_the_target_alone(tmp_path, capsys):
    source, target = tmp_path / "bad.py", tmp_path / "a.ipynb"
    source.write_text("# %%\nx = (\n", encoding="utf-8")
    target.write_text("before", encoding="utf-8")
    assert notebook.main([str(source), str(target)]) == 1
    assert "bad.py: ruff cannot format it" in capsys.readouterr().err
    assert target.read_text(encoding="utf-8") == "before"


def test_a_raw_cell_is_refused_in_one_sentence(tmp_path, capsys):
    path = tmp_path / "a.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_raw_cell("raw text")]), path)
    assert notebook.main([str(path)]) == 1
    assert "a cell has the type 'raw'; make it code or Markdown: 'raw text'" in capsys.readouterr().err
