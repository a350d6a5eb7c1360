"""The script with eight bugs: each repair answers its own bug, and what a page shows is what runs."""

import re

import numpy as np
import pytest
import tiny
import torch

from helpers.book import listing

STOPS = {1: "NameError: name 'dataset'", 2: "AttributeError: 'dict' object", 3: "AttributeError: 'NoneType' object"}


def names(**config) -> dict:
    learned, unseen = tiny.rows(48), tiny.rows(32, seed=1)
    given = {"texts": learned["text"][:], "labels": learned["label"][:], "tokenizer": tiny.tokenizer()}
    given |= {"unseen_texts": unseen["text"][:], "unseen_labels": unseen["label"][:]}
    return given | {"model": tiny.model(**config).eval()}


def repaired(**rates: str) -> str:
    code = listing.script(listing.BUGS)
    for old, new in rates.items():
        assert code.count(f"{old}=2e-5") == 1
        code = code.replace(f"{old}=2e-5", f"{old}={new}")
    return code


@pytest.mark.parametrize("bug", STOPS)
def test_the_first_three_bugs_stop_the_script_in_their_order(bug):
    before = listing.script(range(1, bug))
    assert listing.death(before, **names()).startswith(STOPS[bug])
    assert not listing.death(listing.script(range(1, bug + 1)), **names()).startswith(STOPS[bug])


@pytest.mark.parametrize("made", range(3, 9))
def test_with_the_first_repairs_the_script_runs_and_moves_the_weights(made):
    given = names()
    before = given["model"].classifier.weight.clone()
    assert listing.death(listing.script(range(1, made + 1)), **given) == "it ran"
    assert not torch.equal(before, given["model"].classifier.weight)


def test_tokenising_ahead_and_the_device_change_only_the_order_of_the_rows():
    code = [listing.script(repairs) for repairs in ((1, 2, 3, 4), (1, 2, 3, 4, 5))]
    ends = []
    for each in code:
        torch.manual_seed(0)
        ends.append(listing.run(each, **names())["model"].classifier.weight)
    assert torch.equal(*ends)


def test_the_repaired_script_trains_with_dropout_and_the_broken_one_without():
    for repairs, training in (((1, 2, 3), False), (range(1, 7), True)):
        given = names()
        listing.run(listing.script(repairs), **given)
        assert given["model"].training is training


def test_the_repaired_script_keeps_the_epoch_that_is_best_on_unseen_rows():
    given = names()
    given["labels"] = [1 - label for label in given["labels"]]  # the longer it learns these, the worse it gets
    torch.manual_seed(0)
    after = listing.run(repaired(lr="3e-2"), **given)
    with torch.no_grad():
        answers = given["model"].eval()(**after["unseen"]).logits.argmax(-1)
    assert (answers == after["truth"]).float().mean().item() == after["best"]
    assert after["score"] < after["best"], "the last epoch must not be the best"


def test_looking_changes_nothing_but_which_weights_are_kept():
    ends = []
    for code in (listing.script(range(1, 8)), listing.script(listing.BUGS).replace(listing.CHOICE, "")):
        torch.manual_seed(0)
        ends.append(listing.run(code, **names())["model"].state_dict())
    assert all(torch.equal(ends[0][name], ends[1][name]) for name in ends[0])


def test_the_rate_rises_and_falls_to_zero():
    after = listing.run(listing.script(listing.BUGS), **names())
    assert after["schedule"].get_last_lr() == [0.0, 0.0]
    decay = {group["weight_decay"]: [p.ndim for p in group["params"]] for group in after["optimizer"].param_groups}
    assert set(decay[0.0]) == {1} and set(decay[0.01]) == {2}


def test_a_shortened_script_makes_fewer_steps_and_its_rate_still_falls_to_zero():
    given, seen = names(), []
    code = listing.shortened(listing.script(listing.BUGS), 3)
    after = listing.run(code, **given, print=lambda *what: seen.append(what))
    assert [epoch for epoch, _, _ in seen] == [0, 1, 2]
    assert after["schedule"].get_last_lr() == [0.0, 0.0]


def test_every_bug_is_marked_in_both_scripts():
    for repairs in ((), listing.BUGS):
        found = re.findall(r"# bugs? ([\d, ]+)$", listing.script(repairs), re.MULTILINE)
        marked = {int(number) for group in found for number in group.split(",")}
        # what is wrong with the mode stands at no line of its own in the script that lacks it
        assert marked == set(listing.BUGS)


def test_parts_stand_at_the_same_places_whatever_is_repaired():
    random = np.random.default_rng(0)
    for _ in range(50):
        repairs = [bug for bug in listing.BUGS if random.uniform() < 0.5]
        assert len(listing.parts(repairs)) == len(listing.parts())
        joined = "\n".join(part for part in listing.parts(repairs) if part) + "\n"
        assert joined == listing.script(repairs)
