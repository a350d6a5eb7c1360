"""The most frequent tag is a word's own; the classical CRF learns from the words around it."""

import numpy as np
import tiny
from datasets import ClassLabel, Dataset, Features, Sequence, Value

from helpers import Tagging
from helpers.tasks.tagging import baselines

TAGS = ("O", "B-x", "I-x")
TASK = Tagging(TAGS)


def test_the_classical_crf_learns_what_the_most_frequent_tag_cannot():
    """A word is a name only after `w0`: no tag of the word alone can know."""
    random, tokens, tags = np.random.default_rng(0), [], []
    for _ in range(120):
        places = random.integers(6, size=8)
        tokens.append([tiny.WORDS[place] for place in places])
        tags.append([int(before == 0) for before in [1, *places[:-1]]])
    features = Features({"tokens": Sequence(Value("string")), "tags": Sequence(ClassLabel(names=list(TAGS)))})
    data = Dataset.from_dict({"tokens": tokens, "tags": tags}, features=features)
    train, validation, test = data.select(range(60)), data.select(range(60, 90)), data.select(range(90, 120))
    true = [np.array(row) for row in test["tags"]]
    simple = TASK.score(baselines.most_frequent(train, test), true)["span_f1"]
    classical = TASK.score(baselines.crfsuite(train, validation, test, TASK), true)["span_f1"]
    assert classical > 0.98 and simple < 0.5


def test_the_most_frequent_tag_is_the_word_s_own():
    train = Dataset.from_dict({"tokens": [["Rome", "fell"], ["Rome"], ["Rome"]], "tags": [[1, 0], [1], [0]]})
    found = baselines.most_frequent(train, Dataset.from_dict({"tokens": [["Rome", "fell", "unheard"]]}))
    assert found[0].tolist()[:2] == [1, 0]
    assert found[0][2] in (0, 1)  # both tags are equally frequent over all
