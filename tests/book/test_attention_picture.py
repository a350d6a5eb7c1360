"""The markup of the interactive picture of attention; tests/site drives it in a browser."""

import json
import re

import pytest
import torch

from helpers.book.widgets.attention import attention_picture
from helpers.errors import InputError

WEIGHTS = torch.rand(2, 3, 4, 4).softmax(-1)  # layers, heads, T, T


def test_holds_every_weight_in_percent():
    picture = attention_picture([(["a", "b", "c", "d"], WEIGHTS)]).data
    data = json.loads(re.search(r'<script type="application/json">(.*?)</script>', picture)[1])
    assert torch.tensor(data[0]["weights"]).sub(WEIGHTS * 100).abs().max() <= 0.5
    assert data[0]["tokens"] == ["a", "b", "c", "d"]


def test_asks_the_network_for_nothing():
    picture = attention_picture([(["a", "b", "c", "d"], WEIGHTS)]).data
    assert not re.search(r"https?:|//[a-z]|src=|import\(|fetch\(", picture)


def test_a_token_cannot_end_the_script():
    picture = attention_picture([(["</script><b>", "<!--", "c", "d"], WEIGHTS)]).data
    assert picture.count("</script>") == 2
    assert "<b>" not in picture and "<!--" not in picture


def test_the_same_weights_give_the_same_bytes_and_two_pictures_have_two_names():
    first, again = (attention_picture([(["a", "b", "c", "d"], WEIGHTS)]).data for _ in range(2))
    other = attention_picture([(["e", "b", "c", "d"], WEIGHTS)]).data
    assert first == again
    assert re.search('id="(.*?)"', first)[1] != re.search('id="(.*?)"', other)[1]


def test_tokens_and_weights_that_do_not_fit_are_named():
    with pytest.raises(InputError, match=r"weights of shape \(2, 3, 4, 4\) do not fit 3 tokens; pass both alike"):
        attention_picture([(["a", "b", "c"], WEIGHTS)])
