"""The recipe: what it refuses, and the shape of the learning rate."""

import inspect
import re
from dataclasses import fields
from itertools import pairwise

import pytest

from helpers import Recipe
from helpers.errors import InputError

BAD = {
    "learning_rate": [0, -1e-4, 1, "fast"],
    "epochs": [0, 1.5, None],
    "batch_rows": [0, 2.5],
    "batch_tokens": [0],
    "accumulate": [0],
    "warmup": [-0.1, 1],
    "schedule": ["step", 3],
    "weight_decay": [-1],
    "clip": [0],
    "dropout": [1, -0.1, "some"],
    "attention_dropout": [1],
    "trainable": ["body", 0, 1.5],
    "head_learning_rate": [0],
    "precision": ["fp16"],
    "evaluations": [0],
    "patience": [0],
    "checkpoint_steps": [0],
    "seed": [-1, True],
}
# Fields that take words; the words are what `Recipe` accepts.
CHOICES = {
    "schedule": ("linear", "cosine", "constant"),
    "trainable": ("all", "head"),
    "precision": ("auto", "fp32", "bf16"),
}


def test_every_field_has_a_bad_value_here():
    assert set(BAD) == {field.name for field in fields(Recipe)}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in BAD.items() for value in values])
def test_a_bad_value_is_named_with_its_rule(name, value):
    with pytest.raises(InputError) as error:
        Recipe(**{name: value})
    assert str(error.value).startswith(f"{name} {value!r} of the recipe must ")


def entries() -> dict[str, str]:
    """What the docstring says of each field, on one line."""
    attributes = inspect.getdoc(Recipe).partition("Attributes:\n")[2]
    found = re.findall(r"^ {4}(\w+): (.*(?:\n {8}.*)*)", attributes, flags=re.MULTILINE)
    return {name: " ".join(text.split()) for name, text in found}


def test_every_field_is_documented_in_order():
    assert list(entries()) == [field.name for field in fields(Recipe)]


@pytest.mark.parametrize("name", [field.name for field in fields(Recipe)])
def test_every_field_has_its_range_and_source(name):
    sources = re.findall(r"\([^()]*\b(?:19|20)\d\d\b[^()]*\)|\(our choice[^()]*\)", entries()[name])
    assert sources, "a publication with its year, or our choice, in parentheses"
    rest = re.sub(r"\([^()]*\)", "", entries()[name])
    named = CHOICES.get(name, ())
    assert all(f"`{choice}`" in rest for choice in named), "all that may be chosen"
    assert named or re.search(r"(?<![\w.])\d", rest), "a usual value or a range"


@pytest.mark.parametrize(("name", "choice"), [(name, choice) for name in CHOICES for choice in CHOICES[name]])
def test_every_word_that_may_be_chosen_is_taken(name, choice):
    assert getattr(Recipe(**{name: choice}), name) == choice


def test_a_recipe_is_what_its_dictionary_says():
    recipe = Recipe(epochs=2, trainable=3, dropout=0.0)
    assert Recipe(**recipe.to_dict()) == recipe


@pytest.mark.parametrize("schedule", ["linear", "cosine", "constant"])
def test_the_learning_rate_rises_to_its_peak_and_falls(schedule):
    recipe = Recipe(warmup=0.1, schedule=schedule)
    rates = [recipe.learning_rate_at(step, 100) for step in range(100)]
    assert rates[:10] == pytest.approx([0.1 * (i + 1) for i in range(10)])
    assert rates[10] == pytest.approx(1)
    falls = all(later < earlier for earlier, later in pairwise(rates[10:]))
    assert falls == (schedule != "constant")
    assert 0 < rates[-1] < (0.02 if schedule != "constant" else 1.01)


def test_without_warmup_the_first_step_is_at_the_peak():
    assert Recipe(warmup=0).learning_rate_at(0, 10) == 1


@pytest.mark.parametrize("change", [{"epochs": 3.0}, {"seed": 1.0}, {"epochs": float("inf")}])
def test_whole_numbers_must_be_whole(change):
    with pytest.raises(InputError, match=f"{next(iter(change))} .* of the recipe must"):
        Recipe(**change)
