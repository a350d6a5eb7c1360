"""What a fine-tuning takes, against models of transformers, PyTorch's counters, and the runs of the ledger."""

from contextlib import ExitStack

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode
from transformers import (
    AutoModel,
    AutoModelForCausalLM,
    AutoModelForSequenceClassification,
    BertConfig,
    LlamaConfig,
    PretrainedConfig,
    PreTrainedModel,
)

from helpers import models
from helpers.book import ledger, writers
from helpers.book.peak_memory import peak_bytes
from helpers.book.widgets.cost import BODIES
from helpers.maths import attention, cost
from helpers.models import lora, stored
from helpers.models.fast import RandomBits, cheap_dropout, cheap_parts_again

SIZES = {"hidden_size": 128, "num_hidden_layers": 4, "num_attention_heads": 4, "vocab_size": 900}
BERT = BertConfig(**SIZES, intermediate_size=512, attention_probs_dropout_prob=0.0)
LLAMA = LlamaConfig(**SIZES, intermediate_size=320, num_key_value_heads=2, tie_word_embeddings=True)
CONFIGS = pytest.mark.parametrize("config", [BERT, LLAMA], ids=["bert", "llama"])
ROWS, TOKENS = 16, 64


def built(config: PretrainedConfig, device: str = "cpu", rank: int = 0) -> PreTrainedModel:
    auto = AutoModelForSequenceClassification if config.model_type == "bert" else AutoModelForCausalLM
    with torch.device(device):
        model = auto.from_config(config)
    return (lora.add(model, rank) if rank else model).train()


def loss(model: PreTrainedModel) -> torch.Tensor:
    ids = torch.zeros(ROWS, TOKENS, dtype=torch.long, device=model.device)
    return model(input_ids=ids, labels=ids[:, 0] if model.config.model_type == "bert" else ids).loss


def estimated(config: PretrainedConfig, precision: str = "fp32", rank: int = 0) -> cost.Cost:
    return cost.fine_tuning(cost.body(config), ROWS, TOKENS, ROWS * TOKENS, precision, rank)


@pytest.mark.parametrize("config", [LLAMA, BertConfig(), LlamaConfig()], ids=["llama", "base", "7B"])
def test_weights_are_those_of_the_model(config):
    assert cost.body(config).weights == pytest.approx(built(config, "meta").num_parameters(), rel=0.01)


def test_lora_trains_as_many_weights_as_peft():
    trained = sum(weight.numel() for weight in built(LLAMA, rank=4).parameters() if weight.requires_grad)
    assert estimated(LLAMA, rank=4).trained == trained


@pytest.mark.parametrize(("precision", "dtype"), [*zip(cost.PRECISIONS, ("fp32", "fp32", "bf16", "nf4"), strict=True)])
def test_weights_beside_lora_take_the_bytes_that_are_counted(precision, dtype):
    model = lora.add(built(LLAMA).eval(), 4, base_dtype=dtype)
    scales = [module.scales for module in model.modules() if isinstance(module, stored.StoredIn4Bits)]
    held = sum(tensor.nbytes for tensor in (*model.parameters(), *scales))
    assert estimated(LLAMA, precision, rank=4).weights == pytest.approx(held, rel=0.01)


@CONFIGS
def test_eq_training_cost_is_what_pytorch_counts(config):
    with FlopCounterMode(display=False) as counter:
        loss(built(config, "meta")).backward()
    assert estimated(config).operations == pytest.approx(counter.get_total_flops(), rel=0.02)


def test_eq_training_cost_with_lora_is_what_pytorch_counts():
    with FlopCounterMode(display=False) as counter:
        loss(built(LLAMA, "meta", rank=4)).backward()
    assert estimated(LLAMA, rank=4).operations == pytest.approx(counter.get_total_flops(), rel=0.05)


def test_eq_training_cost_of_an_encoder_is_three_passes_through_its_layers():
    layers = BERT.num_hidden_layers * attention.layer_flops(TOKENS, BERT.hidden_size)
    assert estimated(BERT).operations == 3 * ROWS * layers


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize(("config", "rank"), [(BERT, 0), (LLAMA, 0), (LLAMA, 4)], ids=["bert", "llama", "lora"])
def test_eq_training_memory_is_what_the_profiler_sees(config, rank, precision):
    model = built(config, rank=rank)
    for weight in model.parameters():
        weight.grad = torch.zeros_like(weight) if weight.requires_grad else None

    def step() -> None:
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
            value = loss(model)
        value.backward()

    with ExitStack() as stack:
        stack.enter_context(cheap_dropout(model, RandomBits()))
        stack.enter_context(cheap_parts_again(model))
        seen = peak_bytes(step)
    expected = estimated(config, precision, rank)
    assert expected.activations + expected.scores + expected.copies == pytest.approx(seen, rel=0.15)


def test_the_shapes_that_a_reader_chooses_from_are_those_of_the_models():
    packaged = [models.load(AutoModel, name, scale="laptop").config for name in ("encoder", "decoder")]
    encoder, base, decoder, llama = BODIES.values()
    assert [encoder, decoder] == [cost.body(config) for config in packaged]
    assert [base, llama] == [cost.body(BertConfig()), cost.body(LlamaConfig())]


def test_lora_of_a_recorded_run_trained_the_share_that_is_counted():
    recorded = ledger.read("gpt-json").where(system="lora").frame
    body = BODIES["packaged decoder"]
    for change, share in zip(recorded["changes"], recorded["trained_share"], strict=True):
        trained = cost.fine_tuning(body, 1, 1, 1, "fp32", change["lora_rank"]).trained
        assert trained / (body.weights + trained) == pytest.approx(share, rel=1e-3)


def test_eq_training_memory_of_recorded_runs_is_the_count_and_what_python_and_the_data_take():
    """The count is the least that a run can hold; interpreter, libraries and rows add 0.3 to 1.3 GB (measured RSS)."""
    body, over = BODIES["packaged encoder"], []
    for run in (ledger.read("news-few").where(system="live"), ledger.read("brown-illegal")):
        for peak, precision, recipe in zip(run["peak_memory_gb"], run["precision"], run["recipe"], strict=True):
            counted = cost.fine_tuning(body, 1, 64, recipe["piece_tokens"], precision)
            over.append(peak - counted.memory / 1e9)
    assert min(over) > 0.3 and max(over) < 1.3


def test_eq_training_memory_of_recorded_runs_falls_with_lora_by_no_more_than_is_counted():
    """Steps of 8 rows of at most 120 tokens; a process holds up to 1.7 GB more than the count (measured RSS)."""
    runs = writers.chosen("full"), writers.chosen("lora", {"lora_rank": 8})
    body = BODIES["packaged decoder"]
    counted = [cost.fine_tuning(body, 1, 120, 8 * 120, "bf16", rank).memory / 1e9 for rank in (0, 8)]
    held = [each["peak_memory_gb"].min() for each in runs]
    assert all(0.4 < peak - least < 1.7 for peak, least in zip(held, counted, strict=True))
    assert 0.5 < held[0] - held[1] < counted[0] - counted[1]


@pytest.mark.parametrize(
    "trains", [(True, True, True), (False, True, True), (False, False, True), (True, False, False)]
)
def test_eq_partial_training_counts_what_pytorch_counts(trains):
    layers = [nn.Linear(24, 40), nn.Linear(40, 16), nn.Linear(16, 8)]
    for layer, train in zip(layers, trains, strict=True):
        layer.requires_grad_(train)
    passes = [any(trains[:place]) for place in range(3)]
    with FlopCounterMode(display=False) as counter:
        nn.Sequential(*layers)(torch.randn(50, 24)).sum().backward()
    weights = [layer.weight.numel() for layer in layers]
    assert cost.operations(zip(weights, passes, trains, strict=True), 50) == counter.get_total_flops()


@pytest.mark.parametrize("config", [BERT, LLAMA], ids=["bert", "llama"])
@pytest.mark.parametrize("processes", [2, 8])
def test_eq_sharding_counts_what_the_first_process_keeps_of_each_tensor(config, processes):
    tensors = list(built(config, "meta").parameters())
    whole = sum(tensor.numel() for tensor in tensors)
    part = sum(tensor.chunk(processes)[0].numel() for tensor in tensors)  # as fully_shard cuts them
    held = {0: 16 * whole, 1: 8 * whole + 8 * part, 2: 4 * whole + 12 * part, 3: 16 * part}
    for stage, expected in held.items():
        assert cost.held(whole, processes, stage) == pytest.approx(expected, rel=0.01)


def test_eq_sharding_of_one_process_is_what_one_process_holds():
    assert {cost.held(1000, 1, stage) for stage in range(4)} == {16_000}
    assert cost.held(10**9, 8, 3) == 2 * 10**9
