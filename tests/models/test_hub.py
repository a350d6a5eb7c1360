"""A model of the Hub is asked for once, before anything that would ask again and again."""

import time

import pytest

from helpers import models
from helpers.errors import AssetError
from helpers.models import hub


@pytest.mark.parametrize("fault", [OSError("404"), RuntimeError("no route\nto host")])
def test_a_name_without_an_answer_is_asked_for_once(monkeypatch, fault):
    asked = []

    def refuses(_api, name, timeout):
        asked.append((name, timeout))
        raise fault

    monkeypatch.setattr(hub.HfApi, "model_info", refuses)
    monkeypatch.delenv("HELPERS_OFFLINE", raising=False)
    began = time.monotonic()
    with pytest.raises(AssetError, match=r"model 'bert-base-uncasd' could not be loaded from the Hub .*; connect to"):
        models.tokenizer("bert-base-uncasd")
    assert asked == [("bert-base-uncasd", hub.SECONDS)] and time.monotonic() - began < 5


def test_a_name_that_cannot_be_one_is_one_sentence(monkeypatch):
    monkeypatch.delenv("HELPERS_OFFLINE", raising=False)
    with pytest.raises(AssetError, match="model 'a b c' could not be loaded"):
        models.tokenizer("a b c")


def test_a_model_that_was_loaded_before_is_not_asked_for(monkeypatch):
    monkeypatch.setattr(hub, "try_to_load_from_cache", lambda *_: "config.json")
    monkeypatch.setattr(hub.HfApi, "model_info", lambda *_: pytest.fail("asked"))
    hub.ask("bert-base-uncased")
