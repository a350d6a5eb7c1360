"""A data set of the Hub arrives, or one sentence says why not."""

import pytest

from helpers.data import hub
from helpers.errors import AssetError


def test_the_gpu_scale_without_network_is_one_sentence():
    with pytest.raises(AssetError, match=r"data set 'stanfordnlp/imdb' could not be loaded at scale 'gpu' .*SFT_SCALE"):
        hub.load("stanfordnlp/imdb", scale="gpu")
