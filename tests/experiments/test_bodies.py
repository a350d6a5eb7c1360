"""The experiment on bodies: what is cut off is gone, and probe and fine-tuning see other rows."""

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
