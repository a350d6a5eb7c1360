"""Misspelled words are few, readable, and the same every time; everything else stays."""

import numpy as np

from helpers.book import misspelling

TEXT = " ".join(["mortgage", "and", "casino", "12345", "you", "winner!", "Approved"] * 200)


def test_nothing_changes_at_rate_zero_and_spaces_stay():
    odd = "a  b\nc   casino "
    assert misspelling.misspelled([TEXT, odd], 0.0) == [TEXT, odd]


def test_about_the_asked_share_of_long_plain_words_changes_and_no_other():
    changed = misspelling.misspelled([TEXT], 0.3)[0].split(" ")
    pairs = list(zip(TEXT.split(" "), changed, strict=True))
    differ = [(old, new) for old, new in pairs if old != new]
    assert {old for old, _ in differ} == {"mortgage", "casino", "Approved"}
    assert 0.25 < len(differ) / 600 < 0.35


def test_a_changed_word_keeps_its_first_letter_and_nearly_its_length():
    changed = misspelling.misspelled([TEXT], 1.0)[0].split(" ")
    for old, new in zip(TEXT.split(" "), changed, strict=True):
        assert new[0] == old[0]
        assert abs(len(new) - len(old)) <= 1
    assert len(set(changed)) > 20  # all kinds of change occur
    assert any("." in word for word in changed)


def test_the_seed_decides_and_higher_rates_change_more_of_the_same():
    low, high, again = (misspelling.misspelled([TEXT], rate)[0].split(" ") for rate in (0.1, 0.5, 0.1))
    assert low == again
    assert low != misspelling.misspelled([TEXT], 0.1, seed=1)[0].split(" ")
    words = TEXT.split(" ")
    assert all(h == lo for w, lo, h in zip(words, low, high, strict=True) if lo != w)
    assert np.mean([h != w for w, h in zip(words, high, strict=True)]) > 3 * np.mean(
        [lo != w for w, lo in zip(words, low, strict=True)]
    )
