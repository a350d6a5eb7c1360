"""The recipe: what it refuses, and the shape of the learning rate."""

import inspect
import math
import re
from dataclasses import fields
from itertools import pairwise

import pytest

from helpers import Recipe
from helpers.errors import InputError
from helpers.training.recipe import default_learning_rate

BAD = {
    "learning_rate": [0, -1e-4, 1, "fast"],
    "epochs": [0, 1.5, "many"],
    "batch_rows": [0, 2.5, None],
    "piece_tokens": [0, 1.5],
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
    "patience": [0, 1.5],
    "checkpoint_steps": [0],
    "shard": [1, "yes", None],
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


@pytest.mark.parametrize("lora", [False, True])
def test_larger_models_take_smaller_steps_and_lora_takes_larger_ones(lora):
    sizes = [10**power for power in range(3, 13)]
    rates = [default_learning_rate(size, lora=lora) for size in sizes]
    assert rates == sorted(rates, reverse=True) and rates[0] > rates[-1]
    assert all(0 < default_learning_rate(size, lora=False) < default_learning_rate(size, lora=True) for size in sizes)


@pytest.mark.parametrize(
    ("weights", "lora", "rate"),
    [(22_713_216, False, 1e-4), (134_515_008, False, 1e-4), (134_515_008, True, 1e-3), (1_711_376_384, False, 2e-5)],
)
def test_the_packaged_models_keep_their_rate_and_a_large_one_takes_a_smaller(weights, lora, rate):
    assert default_learning_rate(weights, lora=lora) == pytest.approx(rate)


@pytest.mark.parametrize("rows", [1, 7, 32, 33, 100, 500, 1600, 1601, 3000, 10**6])
@pytest.mark.parametrize("batch_rows", [1, 8, 32])
def test_few_rows_are_passed_often_enough_for_150_steps(rows, batch_rows):
    steps = math.ceil(rows / batch_rows)
    epochs = Recipe(batch_rows=batch_rows).resolved(rows, 1, lora=False, device="cpu").epochs
    assert 3 <= epochs <= 20
    assert epochs * steps >= 150 or epochs == 20
    assert (epochs - 1) * steps < 150 or epochs == 3, "and not more often"


def test_what_a_recipe_says_stays_and_what_it_leaves_open_becomes_a_number():
    given = Recipe(learning_rate=3e-3, epochs=7, piece_tokens=99)
    assert given.resolved(10, 10**12, lora=True, device="cpu") == given
    resolved = Recipe().resolved(500, 10**6, lora=False, device="cpu")
    assert None not in (resolved.learning_rate, resolved.epochs, resolved.piece_tokens)
    assert resolved.piece_tokens < Recipe().resolved(500, 10**6, lora=False, device="cuda").piece_tokens
    assert Recipe(**resolved.to_dict()) == resolved
