"""Frozen weights in 16 and in 4 bits: results differ by their rounding alone, and memory by what is counted."""

import json
import warnings
from contextlib import nullcontext
from pathlib import Path

import pytest
import tiny_decoder as tiny
import torch
from peft import AutoPeftModelForCausalLM
from safetensors.torch import load_file, save_file
from torch import nn
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM

import helpers
from helpers import Generation
from helpers.data.corpus import DataCard
from helpers.errors import InputError
from helpers.models import bases, lora, stored
from helpers.saving import manifest, model_card
from helpers.training import job, loop

IDS = torch.tensor([[3, 9, 27, 81, 5, 6]])
WIDE = {"hidden_size": 128, "intermediate_size": 192}  # rows of two and of three blocks
CARD = DataCard("x", "y", "z", "row", "none", rows={}, labels={}, words={})


def wide() -> LlamaForCausalLM:
    """The tiny decoder with rows that are whole blocks of 4-bit weights, as those of real models are."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return LlamaForCausalLM(LlamaConfig(**tiny.model().config.to_dict() | WIDE | {"head_dim": 64})).eval()


def by_hand(dtype: str) -> LlamaForCausalLM:
    """The tiny model in fp32, with the values that its matrices have in `dtype`."""
    model = wide()
    ends = {id(model.get_input_embeddings().weight)}
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, nn.Linear | nn.Embedding):
                in_blocks = dtype == "nf4" and id(module.weight) not in ends
                module.weight.copy_(in_4_bits(module.weight) if in_blocks else module.weight.bfloat16())
    return model


def in_4_bits(weight: torch.Tensor) -> torch.Tensor:
    """Each weight as the nearest of 16 quantiles of the normal distribution, times the largest of its block of 64."""
    levels = [-1.0, -0.6961928, -0.5250731, -0.3949175, -0.2844414, -0.1847734, -0.0910500, 0.0]
    levels += [0.0795803, 0.1609302, 0.2461123, 0.3379152, 0.4407098, 0.5626170, 0.7229568, 1.0]
    blocks = weight.detach().reshape(-1, 64)
    scales = blocks.abs().amax(1, keepdim=True)
    nearest = (blocks[:, :, None] / scales[:, :, None] - torch.tensor(levels)).abs().argmin(-1)
    return (torch.tensor(levels)[nearest] * scales).reshape(weight.shape)


@pytest.mark.parametrize("dtype", ["bf16", "nf4"])
def test_a_stored_model_computes_with_the_rounded_weights_in_fp32(dtype):
    expected = by_hand(dtype)(IDS).logits
    found = stored.store(wide(), dtype)(IDS).logits
    torch.testing.assert_close(found, expected, rtol=0, atol=2e-6)
    assert (found - wide()(IDS).logits).abs().max() > 1e-5


@pytest.mark.parametrize("dtype", ["bf16", "nf4"])
def test_gradients_of_adapters_are_those_beside_the_rounded_weights(dtype):
    found, expected = lora.add(wide(), 4, base_dtype=dtype), lora.add(by_hand(dtype), 4)
    expected.load_state_dict({**expected.state_dict(), **_adapters(found, seed=1)})
    for model in (found, expected):
        model(IDS).logits.square().mean().backward()
    gradients = {name: p.grad for name, p in expected.named_parameters() if p.grad is not None}
    assert len(gradients) == 28
    for name, parameter in found.named_parameters():
        if parameter.requires_grad:
            assert parameter.dtype == torch.float32
            torch.testing.assert_close(parameter.grad, gradients[name], rtol=1e-4, atol=1e-7, msg=name)


def _adapters(model: nn.Module, seed: int) -> dict:
    """New values for the matrices of LoRA, none of them zero, put into the model and handed out."""
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(seed)
        trained = {name: p for name, p in model.named_parameters() if p.requires_grad}
        return {name: parameter.normal_(0, 0.05).clone() for name, parameter in trained.items()}


@pytest.mark.parametrize("dtype", ["fp32", "bf16", "nf4"])
def test_merging_gives_a_plain_model_that_computes_the_same(dtype):
    model = lora.add(wide(), 4, base_dtype=dtype)
    _adapters(model, seed=2)
    expected = model(IDS).logits
    assert stored.dtype_of(model) == dtype
    plain = lora.merged(model)
    torch.testing.assert_close(plain(IDS).logits, expected, rtol=0, atol=2e-6)
    assert {type(module) for module in plain.modules()} == {type(module) for module in wide().modules()}
    assert plain.lm_head.weight is plain.model.embed_tokens.weight
    assert {parameter.dtype for parameter in plain.parameters()} == {torch.float32}


@pytest.mark.parametrize("dtype", ["fp32", "bf16", "nf4"])
def test_the_bytes_are_what_arithmetic_says(dtype):
    settings = LlamaConfig(
        vocab_size=512, hidden_size=256, num_hidden_layers=4, num_attention_heads=4, intermediate_size=512
    )
    model = stored.store(LlamaForCausalLM(settings), dtype)
    weights = stored.weight_count(model)
    assert weights == LlamaForCausalLM(settings).num_parameters()
    ends = 2 * 512 * 256  # embeddings and output layer, in bf16 beside nf4
    expected = stored.BYTES[dtype] * (weights - ends) + min(4, max(2, stored.BYTES[dtype])) * ends
    held = sum(p.nbytes for p in model.parameters())
    held += sum(m.scales.nbytes for m in model.modules() if isinstance(m, stored.StoredIn4Bits))
    assert held == pytest.approx(expected, rel=0.01)


def test_what_fits_goes_by_the_free_memory(monkeypatch):
    monkeypatch.setattr(stored, "_free", lambda: 20e9)
    assert [stored.fitting(round(weights)) for weights in (1e9, 2.5e9, 2.6e9, 5e9, 5.1e9, 1e12)] == (
        ["fp32", "fp32", "bf16", "bf16", "nf4", "nf4"]
    )


def test_a_model_is_built_in_what_fits_and_the_task_says_in_what(monkeypatch, tmp_path):
    wide().save_pretrained(tmp_path / "base")
    task = Generation(template="plain", lora_rank=2)
    assert task.settled(task.build(str(tmp_path / "base"))).base_dtype == "fp32"
    monkeypatch.setattr(stored, "_free", lambda: 4 * wide().num_parameters())
    built = task.build(str(tmp_path / "base"))
    assert task.settled(built).base_dtype == "bf16"
    vectors = {p.dtype for name, p in built.named_parameters() if p.ndim < 2 or "lora_" in name}
    assert vectors == {torch.float32}


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("dtype", ["bf16", "nf4"])
def test_a_run_beside_stored_weights_learns_nearly_as_beside_the_whole_ones(dtype, precision):
    losses = {}
    for kept in ("fp32", dtype):
        model = lora.add(wide(), 4, base_dtype=kept)
        recipe = tiny.recipe(epochs=8, precision=precision)
        run = loop.fit(tiny.PLAIN, model, tiny.tokenizer(), tiny.rows(), None, recipe)
        losses[kept] = run.history["loss"]
    assert losses["fp32"].iloc[-3:].mean() < losses["fp32"].iloc[:3].mean() - 0.1
    assert abs(losses[dtype] - losses["fp32"]).max() < {"bf16": 0.01, "nf4": 0.1}[dtype] * losses["fp32"].iloc[0]


def trained(tmp_path, **settings):
    """A run of the plain task with LoRA beside a saved base."""
    wide().save_pretrained(tmp_path / "base")
    task = Generation(template="plain", max_new_tokens=8, lora_rank=4, **settings)
    return loop.fit(task, task.build(str(tmp_path / "base")), tiny.tokenizer(), tiny.rows(), None, tiny.recipe())


@pytest.mark.parametrize("dtype", ["fp32", "bf16", "nf4"])
def test_an_adapter_saved_alone_loads_with_its_base_here_and_in_peft(tmp_path, dtype):
    run = trained(tmp_path, base_dtype=dtype, lora_saved="adapter")
    expected = run.model.cpu()(IDS).logits.detach()
    folder = run.save(tmp_path / "model", CARD)
    names = {path.name for path in folder.iterdir()}
    assert {"adapter_model.safetensors", "adapter_config.json", "task.json"} <= names
    assert not names & {"model.safetensors", "config.json", "README.md"}
    loaded = helpers.load(folder)
    torch.testing.assert_close(loaded.model(IDS).logits, expected, rtol=0, atol=5e-6)
    assert loaded.task.base_dtype == dtype
    if dtype == "fp32":  # peft itself knows nothing of how the base was kept
        peft = AutoPeftModelForCausalLM.from_pretrained(folder)
        torch.testing.assert_close(peft(IDS).logits, expected, rtol=0, atol=5e-6)


def test_an_adapter_without_its_base_is_one_sentence(tmp_path):
    folder = trained(tmp_path, lora_saved="adapter").save(tmp_path / "model", CARD)
    (tmp_path / "base").rename(tmp_path / "elsewhere")
    sentence = r"^'.*model' holds an adapter alone, and its base model '.*base' cannot be read \(.*\); .*merged$"
    with pytest.raises(InputError, match=sentence) as found:
        helpers.load(folder)
    assert str(found.value).count(";") == 1, "one remedy"


def test_an_adapter_beside_other_weights_is_refused_however_alike_they_look(tmp_path):
    folder = trained(tmp_path, lora_saved="adapter").save(tmp_path / "model", CARD)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # nothing is wrong, so nothing is said
        helpers.load(folder)
    other = wide()
    with torch.no_grad():
        other.model.layers[1].mlp.down_proj.weight[3, 5] += 1e-6
    other.save_pretrained(tmp_path / "base")
    with pytest.raises(
        InputError, match=r"^the adapter in '.*' has learnt beside other weights or settings than those of '.*base'"
    ):
        helpers.load(folder)
    wide().save_pretrained(tmp_path / "base")
    settings = json.loads((tmp_path / "base" / "config.json").read_text(encoding="utf-8"))
    for change, fits in (({"rms_norm_eps": 0.1}, False), ({"transformers_version": "0"}, True)):
        (tmp_path / "base" / "config.json").write_text(json.dumps(settings | change), encoding="utf-8")
        with nullcontext() if fits else pytest.raises(InputError, match="has learnt beside other weights or settings"):
            helpers.load(folder)
    wide().save_pretrained(tmp_path / "base", max_shard_size="100KB")  # the same weights in several files
    (tmp_path / "base" / "model.safetensors").unlink()
    assert len(list((tmp_path / "base").glob("*.safetensors"))) > 1
    helpers.load(folder)


def test_an_adapter_and_its_base_are_found_from_anywhere_and_after_both_were_moved(tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    wide().save_pretrained("base")
    task = Generation(template="plain", max_new_tokens=8, lora_rank=4, lora_saved="adapter")
    run = loop.fit(task, task.build("base"), tiny.tokenizer(), tiny.rows(), None, tiny.recipe())
    expected = run.model.cpu()(IDS).logits.detach()
    folder = run.save("model", CARD)
    monkeypatch.chdir(tmp_path)
    found = AutoPeftModelForCausalLM.from_pretrained(Path("here") / folder)(IDS).logits
    torch.testing.assert_close(found, expected, rtol=0, atol=5e-6)
    (tmp_path / "here").rename(tmp_path / "there")
    torch.testing.assert_close(helpers.load("there/model").model(IDS).logits, expected, rtol=0, atol=5e-6)


def test_an_adapter_of_an_earlier_version_opens_with_a_warning_and_beside_another_width_not_at_all(tmp_path):
    folder = trained(tmp_path, lora_saved="adapter").save(tmp_path / "model", CARD)
    for name in (bases.NAME, manifest.NAME):
        (folder / name).unlink()
    with pytest.warns(
        UserWarning, match=r"saved by an earlier version, so that nothing says whether '.*base' still has"
    ):
        helpers.load(folder)
    tiny.model().save_pretrained(tmp_path / "base")
    sentence = r"^the adapter in '.*model' does not fit its base model '.*base' \(.*size mismatch.*\); bring the model"
    with pytest.warns(UserWarning, match="earlier version"), pytest.raises(InputError, match=sentence):
        helpers.load(folder)


@pytest.mark.parametrize(
    ("file", "content", "sentence"),
    [
        (
            lora.CONFIG,
            "{}",
            r"'.*adapter_config.json' does not name the base model .*KeyError.*; bring the folder here",
        ),
        (lora.CONFIG, "[", r"'.*adapter_config.json' does not name the base model"),
        (
            bases.NAME,
            '{"format": 3, "sha256": "0"}',
            r"base.json'.* its format is 3, and this version of helpers reads 2",
        ),
        (bases.NAME, '{"format": 1}', r"base.json'.* cannot be read \(KeyError"),
        ("adapter_model.safetensors", "x", r"the adapter in '.*' does not fit its base model"),
    ],
)
def test_a_damaged_adapter_is_one_sentence(tmp_path, file, content, sentence):
    folder = trained(tmp_path, lora_saved="adapter").save(tmp_path / "model", CARD)
    (folder / manifest.NAME).unlink()  # as earlier versions left it: else the damage is told before it is read
    (folder / file).write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match=sentence) as found:
        helpers.load(folder)
    assert "train it again" not in str(found.value), "one remedy, not that of another error inside it"


def test_an_adapter_that_lacks_weights_is_not_taken_for_one_of_zeros(tmp_path):
    folder = trained(tmp_path, lora_saved="adapter").save(tmp_path / "model", CARD)
    (folder / manifest.NAME).unlink()
    file = folder / "adapter_model.safetensors"
    weights = load_file(file)
    save_file(dict(list(weights.items())[:4]), file, {"format": "pt"})
    with pytest.raises(InputError, match=r"^the adapter in '.*model' does not fit its base .*missing adapter keys"):
        helpers.load(folder)


def test_an_adapter_written_through_a_link_moves_with_its_base(tmp_path):
    (tmp_path / "real" / "deep").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "real" / "deep")
    wide().save_pretrained(tmp_path / "real" / "base")
    task = Generation(template="plain", max_new_tokens=8, lora_rank=4, lora_saved="adapter")
    built = task.build(str(tmp_path / "real" / "base"))
    run = loop.fit(task, built, tiny.tokenizer(), tiny.rows(), None, tiny.recipe())
    run.save(tmp_path / "link" / "model", CARD)
    (tmp_path / "real").rename(tmp_path / "moved")
    helpers.load(tmp_path / "moved" / "deep" / "model")


def test_a_base_that_was_never_read_from_files_has_no_adapter(tmp_path):
    task = Generation(template="plain", max_new_tokens=8, lora_rank=4, lora_saved="adapter")
    run = loop.fit(task, lora.add(wide(), 4), tiny.tokenizer(), tiny.rows(), None, tiny.recipe())
    with pytest.raises(InputError, match=r"the base model '' has no weights on this machine.*take lora_saved merged"):
        run.save(tmp_path / "model", CARD)
    assert not (tmp_path / "model").exists()


def test_an_adapter_is_no_model_to_begin_with(tmp_path):
    folder = trained(tmp_path, lora_saved="adapter").save(tmp_path / "model", CARD)
    with pytest.raises(InputError, match=r"'.*model' holds an adapter alone, without the model .*; pass a whole model"):
        Generation(template="plain").build(str(folder))


def test_merged_in_bf16_is_half_the_file_and_what_was_scored(tmp_path):
    run = trained(tmp_path, lora_saved="merged-bf16")
    expected = lora.rounded(lora.merged(run.model)).cpu()(IDS).logits.detach()
    folder = run.save(tmp_path / "model", CARD)
    assert (folder / "model.safetensors").stat().st_size < 0.6 * (tmp_path / "base/model.safetensors").stat().st_size
    loaded = helpers.load(folder).model
    assert {parameter.dtype for parameter in loaded.parameters()} == {torch.float32}
    torch.testing.assert_close(loaded(IDS).logits, expected, rtol=0, atol=0)
    assert AutoModelForCausalLM.from_pretrained(folder).dtype == torch.bfloat16


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"base_dtype": "bf16"}, r"base_dtype 'bf16' has no meaning without LoRA; give lora_rank \(--lora-rank\)"),
        ({"lora_saved": "adapter"}, "lora_saved 'adapter' has no meaning without LoRA"),
        ({"lora_rank": 2, "base_dtype": "int8"}, "base_dtype 'int8' is unknown; choose fp32 or bf16 or nf4"),
        (
            {"lora_rank": 2, "lora_saved": "both"},
            "lora_saved 'both' is unknown; choose merged or merged-bf16",
        ),
    ],
)
def test_bad_settings_are_one_sentence(settings, message):
    with pytest.raises(InputError, match=message):
        Generation(**settings)


@pytest.mark.parametrize("seed", range(10))
def test_4_bits_are_the_nearest_levels_and_16_of_them(seed):
    random = torch.Generator().manual_seed(seed)
    layer = nn.Linear(64 * (1 + seed % 3), 5 + seed)
    with torch.no_grad():
        layer.weight.normal_(0, 10.0 ** (seed - 5), generator=random)
        layer.weight[0] = 0.0  # a block without a largest
        expected = torch.cat([layer.weight[:1], in_4_bits(layer.weight[1:])])
    stored._pack(layer)
    assert layer.weight.numel() == expected.numel() // 2
    torch.testing.assert_close(layer.matrix(torch.float32), expected, rtol=1e-5, atol=0)
    spread = torch.distributions.Normal(0, 1)
    assert sorted(stored.LEVELS) == list(stored.LEVELS) and len(stored.LEVELS) == 16
    # Half of the levels are quantiles from the median down to 1 - .9677, scaled so that the last is -1.
    quantiles = spread.icdf(torch.linspace(0.9677083, 0.5, 8, dtype=torch.float64))
    torch.testing.assert_close(
        torch.tensor(stored.LEVELS[:8], dtype=torch.float64), -quantiles / quantiles[0], rtol=0, atol=1e-4
    )


def test_a_way_to_save_lora_is_nothing_without_lora_also_where_it_is_the_usual_one():
    with pytest.raises(InputError, match=r"lora_saved 'merged' has no meaning without LoRA; give lora_rank"):
        Generation.for_corpus(None, lora_saved="merged", lora_rank=None)
    assert Generation.for_corpus(None, lora_saved="merged", lora_rank=2).lora_saved == "merged"
    assert Generation.for_corpus(None, lora_saved=None).lora_saved == "merged"


def test_a_finished_run_that_was_not_saved_is_saved_in_another_way(tmp_path, monkeypatch):
    wide().save_pretrained(tmp_path / "base")
    how = {"output": tmp_path / "model", "resume": True}
    for saved, more in (("merged", {"output": tmp_path / "model"}), ("adapter", how)):
        task = Generation(template="plain", max_new_tokens=8, lora_rank=4, lora_saved=saved)
        built = task.build(str(tmp_path / "base"))
        run = loop.fit(task, built, tiny.tokenizer(), tiny.rows(), None, tiny.recipe(), **more)
        monkeypatch.setattr(job, "backward", None)
    folder = run.save(tmp_path / "model", CARD)
    torch.testing.assert_close(helpers.load(folder).model(IDS).logits, run.model.cpu()(IDS).logits, rtol=0, atol=5e-6)
    assert (folder / lora.CONFIG).exists()


def test_an_adapter_has_a_card(tmp_path):
    folder = trained(tmp_path, lora_saved="adapter").save(tmp_path / "model", CARD)
    text = model_card.build(folder).text
    assert "A LoRA adapter of 0.0 million parameters" in text
    assert "from peft import AutoPeftModelForCausalLM\n" in text and "AutoPeftModelForCausalLM.from_pretrained(" in text
