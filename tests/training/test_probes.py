"""Shortcuts prove themselves on the model at hand: what is accepted computes the same, what does not is told."""

import random
import warnings
from dataclasses import replace

import numpy as np
import pytest
import tiny
import tiny_decoder
import torch
from families import TASKS, built, encoded
from torch import nn
from torch.utils.checkpoint import checkpoint

from helpers import fit
from helpers.errors import InputError
from helpers.models.fast import CheapDropout, RandomBits, cheap_dropout, dropout_rates
from helpers.tasks.generation.task import Generation
from helpers.training import probes
from helpers.training.optimizer import new_parameters, parameter_groups

WRONG = [
    *("opt", "bloom", "falcon", "mpt", "mamba", "mamba2", "rwkv", "xglm", "biogpt", "jamba", "lfm2", "qwen3_next"),
    *("bert-generation", "gpt_oss", "zamba2", "bert", "xlnet"),
]
RIGHT = ["llama", "mistral", "qwen3", "gemma3_text", "gpt2", "gptj", "gpt_neox", "phi3", "olmo2", "starcoder2"]
ENCODERS = [
    *("albert", "bert", "deberta-v2", "distilbert", "electra", "roberta", "xlnet", "modernbert", "squeezebert"),
    *("longformer", "gpt2"),
]
FIRST = [[5, 9, 14, 22, 31, 40, 7, 26], [33, 12, 50, 8, 27, 45]]
SECOND = [[41, 6, 30, 11, 25, 13], [52, 17, 44, 29, 36, 20, 48, 10], [19, 28, 57, 3]]


def apart_and_together(kind: str, model: nn.Module, ids: list[list[int]]) -> tuple[float, float]:
    """The summed loss of rows, each alone and all in one batch."""
    task, rows = TASKS[kind][0], encoded(kind, ids)
    with torch.no_grad():
        alone = sum(task.apart().loss(model, task.apart().collate([row], 0)).item() for row in rows)
        return alone, task.loss(model, task.collate(rows, 0)).item()


def refused(kind: str, model: nn.Module) -> bool:
    """Whether the probe of rows in one batch refuses the model, or warns of it."""
    trial = probes.Trial(TASKS[kind][0], model, encoded(kind, FIRST), 0, most=8)
    try:
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("error")
            trial.check_rows_apart()
    except (InputError, UserWarning):
        return True
    return False


@pytest.mark.parametrize("family", [*WRONG, *RIGHT])
def test_rows_are_packed_only_where_none_sees_another(family):
    model = built("causal", family)
    assert refused("causal", model) == (family in WRONG)
    alone, together = apart_and_together("causal", model, SECOND)
    assert (abs(alone - together) > 1e-4) == (family in WRONG)


@pytest.mark.parametrize("kind", ["classification", "tagging"])
@pytest.mark.parametrize("family", ENCODERS)
def test_a_row_has_the_same_loss_beside_a_longer_one(family, kind):
    model = built(kind, family)
    alone, together = apart_and_together(kind, model, SECOND)
    assert refused(kind, model) or together == pytest.approx(alone, abs=1e-4)


@pytest.mark.parametrize(
    ("lengths", "terms", "chosen"),
    [
        ([6, 8, 5, 9], [1, 1, 1, 1], [9, 5]),
        ([4, 8, 6], [1, 1, 1], [6, 4]),
        ([3, 4, 7], [0, 1, 1], [7, 4]),
        ([5], [2], [5, 5]),
    ],
)
def test_few_rows_are_the_shortest_and_a_longer_one_of_odd_length(lengths, terms, chosen):
    rows = [{"input_ids": [0] * length} for length in lengths]
    found = probes.few(rows, np.array(lengths), np.array(terms))
    assert [len(row["input_ids"]) for row in found] == chosen


def test_packing_is_refused_before_training_and_the_model_is_as_it_was():
    model = built("causal", "opt")
    task = Generation(template="plain", packed=64)
    tokenizer = tiny_decoder.tokenizer()
    model.resize_token_embeddings(len(tokenizer))
    before = tiny.weights(model)
    sentence = r"packed rows see each other in this model \(opt\): the loss of .* together and .* apart; do not pack"
    with pytest.raises(InputError, match=sentence):
        fit(task, model, tokenizer, tiny_decoder.rows(), None, tiny_decoder.recipe())
    assert all(torch.equal(weight, before[name]) for name, weight in tiny.weights(model).items())
    assert all(parameter.requires_grad and parameter.grad is None for parameter in model.parameters())
    fit(replace(task, packed=None), model, tokenizer, tiny_decoder.rows(), None, tiny_decoder.recipe(epochs=1))


# What is left out is told once, and the run is the plain one


def trained(model: nn.Module, **changes) -> dict[str, torch.Tensor]:
    return tiny.weights(fit(tiny.TASK, model, tiny.tokenizer(), tiny.rows(32), None, tiny.recipe(**changes)).model)


class PairPooler(nn.Module):
    """Reads two positions, so that the first alone is not enough."""

    def __init__(self, pooler: nn.Module):
        super().__init__()
        self.dense = pooler.dense

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        return self.dense(hidden[:, :2].mean(1))


def test_a_fast_path_that_computes_something_else_is_left_out_with_one_sentence(monkeypatch):
    def model() -> nn.Module:
        made = tiny.model(dropout=0.0)
        made.bert.pooler = PairPooler(made.bert.pooler)
        return made

    sentence = r"fast path would change what this model \(bert\) computes, so training does without"
    with pytest.warns(UserWarning, match=sentence) as told:
        found = trained(model())
    assert len(told) == 1
    monkeypatch.setattr("helpers.tasks.texts.first_token_only", lambda model: torch.enable_grad())
    expected = trained(model())
    assert all(torch.equal(found[name], expected[name]) for name in expected)


def test_dropout_that_backward_repeats_keeps_its_own_generator():
    model = tiny.model(dropout=0.3)
    layer = model.bert.encoder.layer[0]
    plain = layer.forward
    layer.forward = lambda *inputs, **named: checkpoint(plain, *inputs, use_reentrant=False, **named)
    with pytest.warns(UserWarning, match="cheap dropout would change what this model"):
        trained(model, epochs=1)
    with cheap_dropout(model, RandomBits()):
        assert not any(isinstance(module, CheapDropout) for module in model.modules())


def test_bf16_that_a_model_cannot_compute_is_left_out_or_refused(monkeypatch):
    def model() -> nn.Module:
        made = tiny.model(dropout=0.0)
        dense = made.bert.pooler.dense.forward

        def mixed(hidden: torch.Tensor) -> torch.Tensor:
            if torch.is_autocast_enabled("cpu"):
                raise RuntimeError("Index put requires the source and destination dtypes match")
            return dense(hidden)

        made.bert.pooler.dense.forward = mixed
        return made

    monkeypatch.setattr("helpers.training.device.native_bf16", lambda device: True)
    with pytest.warns(UserWarning, match="bf16 would change what this model"):
        run = fit(tiny.TASK, model(), tiny.tokenizer(), tiny.rows(32), None, tiny.recipe(precision="auto"))
    assert run.precision == "fp32"
    with pytest.raises(InputError, match=r"bf16 does not compute in this model \(bert\) what fp32 does"):
        trained(model(), precision="bf16")


def test_a_plain_model_is_told_nothing_and_no_bit_of_its_run_changes(monkeypatch):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = trained(tiny.model())
    monkeypatch.setattr(probes, "prove", lambda *inputs: inputs[-2:])
    expected = trained(tiny.model())
    assert all(torch.equal(found[name], expected[name]) for name in expected)


def test_a_probe_leaves_random_states_modes_gradients_and_buffers_alone():
    model = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2), nn.Dropout())
    model[1].eval()
    gradient = model[0].weight.grad = torch.ones(2, 2)
    states = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].tolist()
    buffers = [buffer.clone() for buffer in model.buffers()]
    with pytest.raises(RuntimeError, match="stop"), probes.undisturbed(model):
        model.train()
        model(torch.randn(4, 2)).sum().backward()
        random.random(), np.random.random()
        raise RuntimeError("stop")
    assert [module.training for module in model.modules()] == [True, True, False, True]
    assert model[0].weight.grad is gradient and torch.equal(gradient, torch.ones(2, 2))
    assert model[0].bias.grad is None
    assert all(torch.equal(buffer, before) for buffer, before in zip(model.buffers(), buffers, strict=True))
    assert torch.equal(torch.get_rng_state(), states[0])
    assert (random.getstate(), np.random.get_state()[1].tolist()) == states[1:]


# Rates of dropout


def rates_seen(kind: str, model: nn.Module, rates: dict) -> tuple[set[float], set[float]]:
    """The rates at which attention weights, and anything else, are dropped in one pass of training."""
    attention, others = set(), set()
    plain, fused = nn.functional.dropout, nn.functional.scaled_dot_product_attention

    def dropped(x: torch.Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> torch.Tensor:
        sums = x.sum(-1)  # of attention weights 1, and 0 for padding
        weights = x.ndim > 2 and x.min() >= 0 and (sums - 1).abs().minimum(sums.abs()).max() < 1e-3
        (attention if weights else others).add(p if training else 0.0)
        return plain(x, p, training, inplace)

    def attended(*inputs, dropout_p: float = 0.0, **named) -> torch.Tensor:
        attention.add(dropout_p)
        return fused(*inputs, dropout_p=dropout_p, **named)

    task = TASKS[kind][0].apart()
    with pytest.MonkeyPatch.context() as patch, torch.no_grad(), dropout_rates(model.train(), **rates):
        patch.setattr(nn.functional, "dropout", dropped)
        patch.setattr(nn.functional, "scaled_dot_product_attention", attended)
        task.loss(model, task.collate(encoded(kind, FIRST), 0))
    return attention, others


def rates_reach_their_own(kind: str, family: str) -> None:
    """Each rate changes the loss of training, and `dropout` no attention weights, or it is refused."""
    for name, field, own in (("hidden", "dropout", 1), ("attention", "attention_dropout", 0)):
        model = built(kind, family).train()
        trial = probes.Trial(TASKS[kind][0].apart(), model, encoded(kind, FIRST), 0)
        try:
            trial.check_rates(tiny.recipe(**{field: 0.6}))
        except InputError as error:
            assert f"{field} of the recipe reaches nothing in this model" in str(error)
            continue
        found = rates_seen(kind, model, {"hidden": None, "attention": None} | {name: 0.6125})
        assert 0.6125 in found[own], (family, name, found)
        assert own == 0 or 0.6125 not in found[0], (family, name, found)


@pytest.mark.parametrize("family", ENCODERS)
def test_a_rate_reaches_its_own_kind_of_dropout_or_is_refused(family):
    rates_reach_their_own("classification", family)


def test_a_rate_that_nothing_reads_is_refused():
    model = tiny.model(dropout=0.0)
    for module in list(model.modules()):
        for name, child in module.named_children():
            if isinstance(child, nn.Dropout):
                setattr(module, name, Unheard())
    with pytest.raises(InputError, match=r"^dropout of the recipe reaches nothing in this model \(bert\); leave it"):
        trained(model, dropout=0.1)


class Unheard(nn.Dropout):
    """A dropout whose rate nothing reads."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x


# What trains


@pytest.mark.parametrize("trainable", ["head", 1])
def test_an_error_leaves_what_trains_as_it_was(trainable):
    model = tiny.model()
    model.classifier.weight.data = model.classifier.weight.data.bfloat16()
    model.bert.embeddings.requires_grad_(False)
    before = {name: p.requires_grad for name, p in model.named_parameters()}
    with pytest.raises(InputError, match=r"the weights of 'classifier.weight' are torch.bfloat16"):
        parameter_groups(model, tiny.recipe(trainable=trainable), new_parameters(model, tiny.TASK))
    assert {name: p.requires_grad for name, p in model.named_parameters()} == before
