"""Two runs in two threads would draw from one generator: the second is refused, and the first goes on undisturbed."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import tiny
import torch

from helpers import Classification, fit
from helpers.errors import InputError


class Slow(Classification):
    """A task that waits in its first step."""

    def loss(self, model, batch):
        """As for classification, once it may."""
        STARTED.set()
        assert GO.wait(60)
        return super().loss(model, batch)


STARTED, GO = threading.Event(), threading.Event()


def test_a_second_thread_is_refused_and_the_first_ends_as_if_alone():
    rows, recipe, task = tiny.rows(48), tiny.recipe(epochs=1), Slow(tiny.TASK.labels, max_length=32)
    with ThreadPoolExecutor() as pool:
        first = pool.submit(fit, task, tiny.model(), tiny.tokenizer(), rows, None, recipe)
        assert STARTED.wait(60)
        with pytest.raises(InputError, match="another thread of this process is training; wait for its end"):
            fit(tiny.TASK, tiny.model(), tiny.tokenizer(), rows, None, recipe)
        GO.set()
        found = tiny.weights(first.result().model)
    alone = tiny.weights(fit(tiny.TASK, tiny.model(), tiny.tokenizer(), rows, None, recipe).model)
    assert all(torch.equal(found[name], value) for name, value in alone.items())
