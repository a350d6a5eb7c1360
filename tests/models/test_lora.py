"""LoRA: it starts at the model, trains its own matrices alone, and merges into a plain model."""

import os
import signal

import pytest
import tiny_decoder as tiny
import torch
from datasets import Dataset
from transformers import AutoModelForCausalLM

from helpers import Generation
from helpers.data.corpus import DataCard
from helpers.errors import InputError
from helpers.models import lora
from helpers.training import job, loop

IDS = torch.tensor([[3, 9, 27, 81]])


def tuned(**changes):
    """A run over adapters, back on the CPU, and the model's weights before it."""
    model = tiny.model()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    adapted = lora.add(model, 4)
    run = loop.fit(tiny.PLAIN, adapted, tiny.tokenizer(), tiny.rows(), None, tiny.recipe(**changes))
    run.model.cpu()
    return run, before


def test_a_model_with_new_adapters_is_the_model():
    expected = tiny.model()(IDS).logits
    torch.testing.assert_close(lora.add(tiny.model(), 4)(IDS).logits, expected, rtol=0, atol=0)


def test_only_the_adapters_train_and_they_learn():
    run, before = tuned(epochs=8)
    for name, parameter in run.model.named_parameters():
        assert parameter.requires_grad == ("lora_" in name)
        if "lora_" not in name:
            plain = name.removeprefix("base_model.model.").replace(".base_layer", "")
            assert torch.equal(parameter, before[plain])
    assert run.history["loss"].iloc[-3:].mean() < run.history["loss"].iloc[:3].mean() - 0.1


def test_the_update_has_the_rank_and_a_seed_draws_it():
    adapted = lora.add(tiny.model(), 4)
    layer = adapted.base_model.model.model.layers[0].self_attn.q_proj
    assert layer.lora_A["default"].weight.shape == (4, 32) and layer.lora_B["default"].weight.shape == (32, 4)
    first, again, other = (
        lora.add(tiny.model(), 4, seed=seed).base_model.model.model.layers[0].self_attn.q_proj for seed in (0, 0, 1)
    )
    assert torch.equal(first.lora_A["default"].weight, again.lora_A["default"].weight)
    assert not torch.equal(first.lora_A["default"].weight, other.lora_A["default"].weight)
    assert "lm_head" not in {name.split(".")[2] for name, p in adapted.named_parameters() if p.requires_grad}


def test_a_merged_model_is_plain_and_computes_the_same():
    run, _ = tuned()
    expected = run.model(IDS).logits.detach()
    plain = lora.merged(run.model)
    assert type(plain) is type(tiny.model())
    assert not any("lora" in name for name, _ in plain.named_parameters())
    torch.testing.assert_close(plain(IDS).logits, expected, rtol=0, atol=1e-5)
    assert lora.merged(plain) is plain


def test_eq_lora_a_merged_weight_is_the_old_one_and_twice_the_product():
    run, before = tuned()
    layer = run.model.base_model.model.model.layers[1].mlp.down_proj
    a, b = layer.lora_A["default"].weight.detach(), layer.lora_B["default"].weight.detach()
    assert b.abs().max() > 1e-4
    expected = before["model.layers.1.mlp.down_proj.weight"] + 2 * b @ a  # alpha / rank is 2
    found = lora.merged(run.model).model.layers[1].mlp.down_proj.weight.detach()
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-6)


def test_a_saved_run_with_adapters_loads_as_a_plain_model(tmp_path):
    run, _ = tuned(epochs=1)
    expected = run.model(IDS).logits.detach()
    card = DataCard("x", "y", "z", "row", "none", rows={}, labels={}, words={})
    folder = run.save(tmp_path / "model", card)
    assert not list(folder.glob("adapter*"))
    torch.testing.assert_close(AutoModelForCausalLM.from_pretrained(folder)(IDS).logits, expected, rtol=0, atol=1e-5)


def test_a_run_over_adapters_resumes_to_the_same_bits(tmp_path, monkeypatch):
    begin, moments = job.seed_step, [signal.SIGINT]

    def interrupted(run, step):
        if moments:
            os.kill(os.getpid(), moments.pop())
        begin(run, step)

    monkeypatch.setattr(job, "seed_step", interrupted)

    def run(**how):
        recipe, model = tiny.recipe(epochs=1), lora.add(tiny.model(), 4)
        return loop.fit(Generation(template="plain"), model, tiny.tokenizer(), tiny.rows(), None, recipe, **how)

    with pytest.raises(KeyboardInterrupt):
        run(output=tmp_path / "model")
    resumed, unbroken = run(output=tmp_path / "model", resume=True).model, run().model
    for (name, found), expected in zip(resumed.named_parameters(), unbroken.parameters(), strict=True):
        assert torch.equal(found, expected), name


def test_the_share_of_trained_weights():
    adapted = lora.add(tiny.model(), 4)
    total = sum(p.numel() for p in tiny.model().parameters())
    new = sum(p.numel() for name, p in adapted.named_parameters() if "lora_" in name)
    assert lora.trained_share(adapted) == pytest.approx(new / (total + new))
    assert lora.trained_share(tiny.model()) == 1


def test_bad_settings_are_one_sentence():
    with pytest.raises(InputError, match="LoRA's rank 0 must be at least 1"):
        lora.add(tiny.model(), 0)
    with pytest.raises(InputError, match=r"has no layers \['query'\]; choose from .*q_proj"):
        lora.add(tiny.model(), modules=["query"])


@pytest.mark.parametrize("rank", [None, 4])
def test_a_token_that_the_model_does_not_know_is_refused_by_its_row(rank):
    tokenizer, model = tiny.tokenizer(), tiny.model()
    tokenizer.add_tokens(["<new>"])
    rows = Dataset.from_dict({"prompt": ["ab", "a<new>"], "completion": ["B", "A"]})
    model = model if rank is None else lora.add(model, rank)
    with pytest.raises(InputError, match=r"row 2 of the training data holds token 259, .* embeddings of 259 tokens"):
        loop.fit(tiny.PLAIN, model, tokenizer, rows, None, tiny.recipe())
