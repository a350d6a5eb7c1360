"""Every numbered equation of the book has a test, and the appendix lists them as they are."""

import json
import re

import pytest

from tools import equations

ALL = equations.equations()


@pytest.mark.parametrize("equation", ALL, ids=[equation.label for equation in ALL])
def test_equation_has_a_test_of_its_name(equation):
    wanted = f"test_{equation.label.replace('-', '_')}"
    assert equation.tests, f"{equation.chapter} numbers the equation {equation.label}; write {wanted} in tests/"


def test_the_appendix_lists_the_equations_as_they_are():
    page = equations.ROOT / equations.PAGE
    assert page.read_text(encoding="utf-8") == equations.page(), "run: python -m tools.equations"


def test_every_equation_that_the_code_names_is_in_the_book():
    code = [path.read_text(encoding="utf-8") for path in (equations.ROOT / "helpers" / "maths").glob("*.py")]
    named = set(re.findall(r"\beq-[a-z-]+[a-z]", "\n".join(code)))
    assert len(named) > 20
    assert named <= {equation.label for equation in ALL}


def _book(root, *texts):
    (root / "book").mkdir()
    (root / "tests").mkdir()
    (root / "tests" / "test_a.py").write_text("def test_eq_a(): ...\ndef test_eq_a_b_holds(): ...\n", encoding="utf-8")
    cells = [{"cell_type": "markdown", "source": ["# Title\n", "text\n", *texts]}]
    (root / "book" / "one.ipynb").write_text(json.dumps({"cells": cells}), encoding="utf-8")
    return equations.equations(root)


def test_a_test_belongs_to_the_longest_label_that_fits(tmp_path):
    found = _book(tmp_path, "$$\na\n$$ (eq-a)\n", "$$ b $$ (eq-a-b)\n", "$$ c $$ (eq-c)\n", "$$ d $$\n")
    assert [(each.label, each.tests) for each in found] == [
        ("eq-a", ["tests/test_a.py::test_eq_a"]),
        ("eq-a-b", ["tests/test_a.py::test_eq_a_b_holds"]),
        ("eq-c", []),
    ]
    assert "## Title" in equations.page(tmp_path)


def test_two_equations_with_one_label_are_refused(tmp_path):
    with pytest.raises(ValueError, match="more than one equation has the label eq-a; rename"):
        _book(tmp_path, "$$ a $$ (eq-a)\n", "$$ b $$ (eq-a)\n")
