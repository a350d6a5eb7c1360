"""LoRA under a layer for labels: what trains, what is saved, and what a rank below one is told."""

import families
import numpy as np
import pytest
import tiny
import tiny_decoder
import torch
from transformers import AutoModel, AutoModelForSequenceClassification

from helpers import Classification, MultiLabel, fit
from helpers.data.corpus import DataCard
from helpers.errors import InputError
from helpers.models import lora
from helpers.training import optimizer

BODIES = {"encoder": tiny, "decoder": tiny_decoder}
CARD = DataCard("x", "y", "z", "row", "none", rows={}, labels={}, words={})


@pytest.fixture(params=BODIES)
def body(request, tmp_path):
    """A pretrained body in a folder, with its tokenizer."""
    made = BODIES[request.param]
    made.model().save_pretrained(tmp_path)
    made.tokenizer().save_pretrained(tmp_path)
    return tmp_path


def test_matrices_and_the_new_layer_train_and_the_body_stays(body):
    task = Classification(("no", "yes"), 32, lora_rank=4)
    model = task.build(body)
    before = {name: weight.detach().clone() for name, weight in model.named_parameters()}
    run = fit(task, model, tiny.tokenizer(), tiny.rows(), None, tiny.recipe(epochs=20, learning_rate=3e-2))
    trained = {name for name, weight in run.model.named_parameters() if not torch.equal(weight.cpu(), before[name])}
    assert trained and all("lora_" in name or "modules_to_save" in name for name in trained)
    assert {"lora_A", "lora_B"} == {part for name in trained for part in name.split(".") if part.startswith("lora_")}
    assert any("modules_to_save" in name for name in trained)
    assert run.history["loss"].iloc[-3:].mean() < run.history["loss"].iloc[:3].mean() - 0.1


def test_what_is_saved_is_plain_and_answers_alike(body, tmp_path):
    task = Classification(("no", "yes"), 32, lora_rank=4)
    run = fit(task, task.build(body), tiny.tokenizer(), tiny.rows(), None, tiny.recipe(learning_rate=1e-2))
    expected = run.predict(tiny.rows(9, seed=1))
    run.save(tmp_path / "saved", CARD)
    plain = AutoModelForSequenceClassification.from_pretrained(tmp_path / "saved").eval()
    assert not any("lora" in name for name, _ in plain.named_parameters())
    given = tiny.tokenizer()(tiny.rows(9, seed=1)["text"][:1], return_tensors="pt")["input_ids"]
    np.testing.assert_allclose(plain(given).logits.softmax(-1)[0].detach().numpy(), expected[0], atol=1e-5)


@pytest.mark.parametrize("task", [Classification, MultiLabel])
def test_a_rank_is_given_on_to_the_model_or_refused(task, body):
    assert hasattr(task(("a", "b"), lora_rank=2).build(body), "peft_config")
    assert not hasattr(task(("a", "b")).build(body), "peft_config")
    for rank in (0, -2, 2.5, True, "4"):
        with pytest.raises(InputError, match=r"lora_rank .+ must be a whole number from 1 on"):
            task(("a", "b"), lora_rank=rank)


@pytest.mark.parametrize("family", ["bert", "distilbert", "roberta", "deberta-v2", "xlnet"])
def test_whatever_is_new_trains_whole_and_at_the_rate_of_the_head(family, tmp_path):
    families.tiny(AutoModel, family, pad_token_id=0).save_pretrained(tmp_path)
    tiny.tokenizer().save_pretrained(tmp_path)
    task = Classification(("no", "yes"), 32, lora_rank=2)
    new = Classification(("no", "yes"), 32).build(tmp_path).drawn_parameters
    model = task.build(tmp_path)
    trained = {name for name, weight in model.named_parameters() if weight.requires_grad}
    whole = {name for name in trained if "modules_to_save" in name}
    plain = {name.replace(".modules_to_save.default", "").removeprefix("base_model.model.") for name in whole}
    assert new and new <= plain and all("lora_" in name for name in trained - whole)
    recipe = tiny.recipe(learning_rate=1e-3, head_learning_rate=0.5)
    groups = optimizer.parameter_groups(model, recipe, optimizer.new_parameters(model, task))
    own = {id(weight) for group in groups if group["lr"] == 0.5 for weight in group["params"]}
    assert own == {id(weight) for name, weight in model.named_parameters() if name in whole}


def test_the_output_layer_of_a_decoder_that_writes_stays_as_it_is():
    written = lora.add(tiny_decoder.model(), 4)
    assert not any("modules_to_save" in name for name, _ in written.named_parameters())
