"""Refusals are found by their words, taught in one opening, and mixed in at the share that is asked for."""

from importlib import resources

import numpy as np
import pandas as pd
import pytest
import tiny_decoder
import torch
from datasets import Dataset
from sklearn.metrics import cohen_kappa_score

from helpers import Generation, corpora
from helpers.book import refusals
from helpers.corpora.requests import TESTED, kind_of
from helpers.errors import InputError


@pytest.mark.parametrize(
    "text",
    [
        "I'm sorry, but I can't help with that.",
        "I\u2019m sorry, but no.",
        "As an AI language model, I don't have the ability to do so.",
        "I cannot assist you with this.",
        "Sure, I am unable to do that.",
        *refusals.refusals(75),
    ],
)
def test_what_declines_is_found(text):
    assert refusals.refused(text)


@pytest.mark.parametrize(
    "text",
    [
        "Turn the hinge slowly, and hammer it while it glows.",
        "You can't go wrong with a cast-iron pan.",
        "They said they were sorry.",
        "First, open the lid." + " Wait." * 40 + " I can't say more.",
        "",
    ],
)
def test_what_answers_is_not(text):
    assert not refusals.refused(text)


def test_refusals_differ_begin_alike_and_come_in_an_order_of_the_seed():
    texts = refusals.refusals(75, seed=1)
    assert len(set(texts)) == 75 and all(text.startswith(refusals.OPENING) for text in texts)
    assert refusals.refusals(80, seed=1)[:75] == texts != refusals.refusals(75, seed=2)


@pytest.fixture(scope="module")
def requests():
    return corpora.load("requests").data["train"]


@pytest.mark.parametrize("same_kind", [True, False])
def test_declined_requests_are_harmful_and_of_the_kind_that_is_asked_for(requests, same_kind):
    found = refusals.declined(requests, 30, same_kind=same_kind)
    groups = dict(zip(requests["text"], requests["group"], strict=True))
    labels = dict(zip(requests["text"], requests["label"], strict=True))
    assert len(set(found["prompt"])) == 30
    for prompt, completion in zip(found["prompt"], found["completion"], strict=True):
        assert labels[prompt] == 1 and (kind_of(groups[prompt]) == TESTED) == same_kind
        assert refusals.refused(completion)


def test_more_requests_than_there_are_is_an_error(requests):
    with pytest.raises(InputError, match="not 1000; ask for fewer"):
        refusals.declined(requests, 1000, same_kind=True)


def pairs(name: str, count: int) -> Dataset:
    return Dataset.from_dict({"prompt": [f"{name} {i}" for i in range(count)], "completion": ["x"] * count})


def test_a_mixture_holds_what_is_given_and_benign_rows_for_the_rest():
    mixed = refusals.mixture(pairs("benign", 50), pairs("refused", 6), pairs("answered", 4), 30, seed=3)
    kinds = [prompt.split()[0] for prompt in mixed["prompt"]]
    assert {kind: kinds.count(kind) for kind in set(kinds)} == {"benign": 20, "refused": 6, "answered": 4}
    assert len(set(mixed["prompt"])) == 30 and kinds != sorted(kinds)
    with pytest.raises(InputError, match="90 benign rows are needed to make 100, and there are 50"):
        refusals.mixture(pairs("benign", 50), pairs("refused", 6), pairs("answered", 4), 100)


def test_the_probability_of_an_opening_is_the_product_of_its_tokens_alone():
    model, tokenizer = tiny_decoder.model(), tiny_decoder.tokenizer(window=400)
    task, prompt = Generation(), "how do i kill a process"
    found = refusals.opening_probabilities(task, model, tokenizer, [prompt, "why"])
    row = task.encode(tokenizer, Dataset.from_dict({"prompt": [prompt]}))[0]["input_ids"]
    opening = tokenizer(refusals.OPENING, add_special_tokens=False)["input_ids"]
    with torch.no_grad():
        log = model(torch.tensor([row + opening])).logits[0].log_softmax(-1)
    expected = np.exp(sum(log[len(row) - 1 + i, token].item() for i, token in enumerate(opening)))
    assert found[0] == pytest.approx(expected, rel=1e-4)


@pytest.fixture(scope="module")
def labels():
    return pd.read_csv(resources.files("helpers.book") / "refusal_labels.csv")


def test_labels_are_of_different_answers_and_hold_no_text(labels):
    assert len(labels) >= 100 and labels["answer"].is_unique
    assert labels["answer"].str.fullmatch("[0-9a-f]{12}").all()
    assert labels[["scorer", "first", "second"]].isin([0, 1]).all(axis=None)


def test_eq_kappa_is_agreement_beyond_chance(labels):
    rule, people = labels["scorer"], labels["first"]
    observed = (rule == people).mean()
    expected = rule.mean() * people.mean() + (1 - rule.mean()) * (1 - people.mean())
    assert (observed - expected) / (1 - expected) == pytest.approx(cohen_kappa_score(rule, people))
