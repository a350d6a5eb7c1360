"""The experiment on bodies: what is cut off is gone, and probe and fine-tuning see other rows."""

from types import SimpleNamespace

import torch
from transformers import BertConfig, BertModel

from experiments import bodies

SMALL = {"hidden_size": 32, "num_hidden_layers": 4, "num_attention_heads": 2, "intermediate_size": 64}


def test_the_lower_layers_are_those_that_the_whole_model_has_below():
    model = BertModel(BertConfig(vocab_size=50, **SMALL)).eval()
    ids = torch.arange(1, 9)[None]
    with torch.no_grad():
        below = model(ids, output_hidden_states=True).hidden_states[2]
        cut = bodies.lower(model, 2)(ids).last_hidden_state
    torch.testing.assert_close(cut, below)
    assert model.config.num_hidden_layers == 2 and bodies.lower(model, None) is model


def test_nine_bodies_are_probed_and_fine_tuned_with_three_seeds():
    about = [about for about, _ in bodies.review_bodies()]
    assert len(bodies.BODIES) == 9 and len(about) == 2 * 9 * 3
    assert len({str(each) for each in about}) == len(about)
    assert bodies.recipe(about[-1])["epochs"] * -(-bodies.ROWS // bodies.RECIPE["batch_rows"]) == 160
    assert bodies.recipe(about[0]) == {}


def test_the_rate_that_the_rows_that_choose_like_best_is_scored(monkeypatch):
    class Tried:
        task = SimpleNamespace(selection_metric="accuracy")
        model = SimpleNamespace(device=torch.device("cpu"))

        def __init__(self, rate: float):
            self.rate, self.best = rate, {"validation_accuracy": {1e-4: 0.6, 4e-4: 0.7}[rate]}

        def predict(self, rows):
            return self.rate

    monkeypatch.setattr(bodies, "_trained", lambda body, seed, rate: Tried(rate))
    monkeypatch.setattr(bodies, "reviews", lambda: {"test": None})
    monkeypatch.setattr(bodies, "scored", lambda answers, rows: {"rate": answers})
    monkeypatch.setattr(bodies.recording, "cost", lambda run: {})
    assert bodies.tuned("6 layers", 0) == {"rate": 4e-4, "split": "test"}
