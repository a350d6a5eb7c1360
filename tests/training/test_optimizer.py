"""What trains: the head is what the pretrained body lacks, in every family; a rate that reaches nothing is refused."""

import pytest
import tiny
import torch
from torch import nn
from transformers import AutoConfig, AutoModelForSequenceClassification, AutoModelForTokenClassification

from helpers import fit
from helpers.errors import InputError
from helpers.models.fast import dropout_rates
from helpers.tasks.classification.task import Classification
from helpers.tasks.tagging.task import Tagging
from helpers.training.optimizer import new_parameters, parameter_groups

SMALL = {
    "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32, "vocab_size": 40,
    "max_position_embeddings": 40, "num_labels": 3, "pad_token_id": 0,
}  # fmt: skip
# family -> what its configuration needs besides
FAMILIES = {
    "albert": {"embedding_size": 8},
    "bert": {},
    "deberta-v2": {"pooler_hidden_size": 16},
    "distilbert": {"dim": 16, "n_layers": 2, "n_heads": 2, "hidden_dim": 32},
    "electra": {"embedding_size": 16},
    "gpt2": {"n_embd": 16, "n_layer": 2, "n_head": 2},
    "llama": {"num_key_value_heads": 2},
    "modernbert": {"global_attn_every_n_layers": 2, "cls_token_id": 1, "sep_token_id": 2},
    "opt": {"ffn_dim": 32, "word_embed_proj_dim": 16},
    "roberta": {},
    "xlnet": {"d_model": 16, "n_layer": 2, "n_head": 2, "d_inner": 32},
}
TASKS = {
    "classification": (Classification(("a", "b", "c")), AutoModelForSequenceClassification),
    "tagging": (Tagging(("O", "B-X", "I-X")), AutoModelForTokenClassification),
}


def model(family: str, auto_class=AutoModelForSequenceClassification) -> nn.Module:
    settings = SMALL | FAMILIES[family]
    if family == "xlnet":  # it has no limit of length
        del settings["max_position_embeddings"]
    config = AutoConfig.for_model(family, **settings)
    torch.manual_seed(0)
    return auto_class.from_config(config)


def trained(network: nn.Module) -> set[str]:
    return {name for name, parameter in network.named_parameters() if parameter.requires_grad}


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("name", TASKS)
def test_the_head_is_all_that_stands_outside_of_the_body(name, family):
    task, auto_class = TASKS[name]
    if AutoConfig.for_model(family).__class__ not in auto_class._model_mapping:
        assert (name, family) == ("tagging", "opt")  # the one pair that transformers lacks
        return
    network = model(family, auto_class)
    new = new_parameters(network, task)
    body = {parameter for parameter in network.base_model.parameters()}
    assert new and new == {own for own, parameter in network.named_parameters() if parameter not in body}
    parameter_groups(network, tiny.recipe(trainable="head"), new)
    assert trained(network) == new


@pytest.mark.parametrize("family", ["bert", "distilbert", "gpt2", "llama", "roberta"])
def test_the_top_layer_trains_whole_beside_the_head(family):
    network = model(family)
    new = new_parameters(network, TASKS["classification"][0])
    parameter_groups(network, tiny.recipe(trainable=1), new)
    rest = trained(network) - new
    assert rest and all(".1." in name for name in rest)
    whole = {
        name for name, _ in network.named_parameters() if any(name.startswith(n.split(".1.")[0] + ".1.") for n in rest)
    }
    assert rest == whole


def test_a_pooler_that_was_drawn_anew_is_new_and_one_that_came_with_the_weights_is_not(tmp_path):
    from helpers import models

    tiny.model().save_pretrained(tmp_path / "whole")
    bare = tiny.model().bert
    bare.pooler = None
    bare.save_pretrained(tmp_path / "bare")
    for folder in ("whole", "bare"):
        tiny.tokenizer().save_pretrained(tmp_path / folder)
    task = TASKS["classification"][0]
    poolers = {}
    for folder in ("whole", "bare"):
        network = models.load(AutoModelForSequenceClassification, tmp_path / folder, num_labels=3)
        poolers[folder] = {name for name in new_parameters(network, task) if "pooler" in name}
    assert poolers["whole"] == set() and len(poolers["bare"]) == 2


def test_layers_that_are_no_list_are_refused():
    with pytest.raises(InputError, match=r"the layers of this model .* cannot tell which to train; take all or head"):
        parameter_groups(model("albert"), tiny.recipe(trainable=1), frozenset())


# Dropout of the recipe


def rates(network: nn.Module) -> list[float]:
    """All rates of a network, wherever they stand."""
    modules = [module.p for module in network.modules() if isinstance(module, nn.Dropout)]
    return modules + [
        v for m in network.modules() for n, v in vars(m).items() if "dropout" in n and isinstance(v, float)
    ]


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("kind", ["hidden", "attention"])
def test_a_rate_changes_the_outputs_of_training_or_is_refused(family, kind):
    network = model(family).train()
    ids = torch.arange(1, 25).view(2, 12)

    def outputs(rate: float) -> torch.Tensor:
        other = {"hidden": None, "attention": None} | {kind: rate}
        with dropout_rates(network, other["hidden"], other["attention"]), torch.no_grad():
            torch.manual_seed(0)
            return network(input_ids=ids).logits

    before = rates(network)
    try:
        low, high = outputs(0.0), outputs(0.6)
    except InputError as error:
        assert "of the recipe reaches nothing in this model" in str(error)
        return
    finally:
        assert rates(network) == before
    assert not torch.allclose(low, high)


def test_eq_adamw_is_the_step_that_a_run_takes():
    """Two steps by the formula, from gradients of their own, end at the weights of `fit`."""
    told = tiny.recipe(learning_rate=1e-3, batch_rows=48, epochs=2, warmup=0.0, weight_decay=0.1, schedule="constant")
    model, rows = tiny.model(dropout=0.0), tiny.rows(48)
    encoded = tiny.TASK.encode(tiny.tokenizer(), rows)
    batch = tiny.TASK.collate(encoded.to_list(), 0)
    weights, first, second = dict(model.named_parameters()), {}, {}
    for step in (1, 2):
        gradients = torch.autograd.grad(tiny.TASK.loss(model, batch) / len(rows), list(weights.values()))
        clip = min(1.0, told.clip / torch.sqrt(sum((g**2).sum() for g in gradients)).item())
        for (name, weight), g in zip(weights.items(), gradients, strict=True):
            first[name] = 0.9 * first.get(name, 0) + 0.1 * clip * g
            second[name] = 0.999 * second.get(name, 0) + 0.001 * (clip * g) ** 2
            size = (second[name] / (1 - 0.999**step)).sqrt() + 1e-8
            decay = told.weight_decay * weight.detach() if weight.ndim > 1 else 0
            weight.data -= told.learning_rate * (first[name] / (1 - 0.9**step) / size + decay)
    trained = fit(tiny.TASK, tiny.model(dropout=0.0), tiny.tokenizer(), rows, None, told).model
    for name, weight in trained.named_parameters():
        torch.testing.assert_close(weight, weights[name], atol=2e-6, rtol=1e-4)
