import json
import pickle
import random
import shutil
import warnings

import gguf
import huggingface_hub.constants
import numpy as np
import pytest
import torch
from peft import LoraConfig, get_peft_model
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from transformers import (
    AutoModel,
    AutoModelForCausalLM,
    AutoModelForMaskedLM,
    AutoModelForSeq2SeqLM,
    AutoModelForSequenceClassification,
    AutoModelForTokenClassification,
    BertConfig,
    BertModel,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
)

from helpers import assets, models, scales
from helpers.errors import AssetError, InputError
from helpers.models import loading, unpacking

CLASSIFIER = AutoModelForSequenceClassification


@pytest.fixture(autouse=True)
def laptop(monkeypatch):
    monkeypatch.delenv("SFT_SCALE", raising=False)


def save_tokenizer(folder, words):
    """A tokenizer of whole words that pads with its end token, the second word, as many decoders do."""
    inside = Tokenizer(WordLevel({word: i for i, word in enumerate(words)}, unk_token=words[0]))
    special = {"unk_token": words[0], "eos_token": words[1], "pad_token": words[1]}
    PreTrainedTokenizerFast(tokenizer_object=inside, **special).save_pretrained(folder)


def save_encoder(folder):
    sizes = {"vocab_size": 30, "hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 2}
    BertModel(BertConfig(**sizes, intermediate_size=16)).bfloat16().save_pretrained(folder)
    return folder


def save_decoder(folder, words=("<unk>", "<end>", "a", "b")):
    sizes = {"vocab_size": 4, "hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = LlamaConfig(**sizes, intermediate_size=16, bos_token_id=1, eos_token_id=1, pad_token_id=1)
    LlamaForCausalLM(config).save_pretrained(folder)
    save_tokenizer(folder, words)
    return folder


@pytest.fixture
def encoder(tmp_path):
    return save_encoder(tmp_path / "encoder")


@pytest.fixture
def decoder(tmp_path):
    return save_decoder(tmp_path / "decoder")


def edit_weights(folder, change):
    weights = load_file(folder / "model.safetensors")
    change(weights)
    save_file(weights, folder / "model.safetensors", {"format": "pt"})


def edit_config(folder, **fields):
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")) | fields), encoding="utf-8")


# The models of the laptop


def test_the_encoder_places_like_sentences_together():
    tokenizer, body = models.tokenizer(), models.load(AutoModel)
    sentences = ["A cat sleeps on the sofa.", "The kitten naps on a couch.", "Shares fell after the bank's report."]
    batch = tokenizer(sentences, padding=True, return_tensors="pt")  # (B, T)
    mask = batch["attention_mask"].unsqueeze(-1)  # (B, T, 1)
    with torch.no_grad():
        vectors = (body(**batch).last_hidden_state * mask).sum(1) / mask.sum(1)  # (B, D)
    likeness = torch.nn.functional.cosine_similarity(vectors[:1], vectors[1:])
    assert likeness[0] > 0.5 > 0.2 > likeness[1]


def test_the_encoder_s_tokenizer_is_bert_s_and_neither_pads_nor_cuts_unasked():
    tokenizer = models.tokenizer()
    assert tokenizer("hello world")["input_ids"] == [101, 7592, 2088, 102]  # as published for bert-base-uncased
    assert len(tokenizer("a " * 300)["input_ids"]) == 302
    assert (tokenizer.pad_token, tokenizer.model_max_length) == ("[PAD]", 512)


def test_the_decoder_answers_and_stops():
    tokenizer, model = models.tokenizer("decoder"), models.load(AutoModelForCausalLM, "decoder")
    chat = [{"role": "user", "content": "What is the capital of France?"}]
    prompt = tokenizer.apply_chat_template(chat, add_generation_prompt=True, return_tensors="pt")
    answer = model.generate(**prompt, max_new_tokens=20, do_sample=False)[0, prompt["input_ids"].shape[1] :]
    assert "Paris" in tokenizer.decode(answer)
    assert answer[-1] == tokenizer.eos_token_id


def test_the_decoder_pads_with_another_token_than_its_end():
    tokenizer, model = models.tokenizer("decoder"), models.load(AutoModelForCausalLM, "decoder")
    assert tokenizer.pad_token_id != tokenizer.eos_token_id == model.config.eos_token_id
    assert tokenizer.pad_token_id == model.config.pad_token_id == model.generation_config.pad_token_id
    assert tokenizer.model_max_length == model.config.max_position_embeddings == 8192


def test_the_decoder_s_tokenizer_cuts_numbers_into_digits_and_gives_back_every_byte():
    tokenizer = models.tokenizer("decoder")
    for text in ("In 1987,  3.14 and  007", "naïve 中文 🙂", "  def f(x):\n\treturn x\n\n"):
        ids = tokenizer(text)["input_ids"]
        assert tokenizer.decode(ids) == text
        assert tokenizer.pad_token_id not in ids
        words = tokenizer.convert_ids_to_tokens(ids)
        assert all(len(word) == 1 for word in words if any(letter.isdigit() for letter in word))
    assert tokenizer.convert_ids_to_tokens(tokenizer("a  7")["input_ids"]) == ["a", "ĠĠ", "7"]


def test_the_unpacked_decoder_holds_the_numbers_of_its_gguf(monkeypatch):
    # The reader cuts out each of 98,000 tokens and merges; cut from a plain array, they cost less than half.
    monkeypatch.setattr(np, "memmap", lambda path, mode: np.fromfile(path, np.uint8))
    reader = gguf.GGUFReader(assets.fetch("decoder"))
    blocks = {tensor.name: tensor for tensor in reader.tensors}
    weights = models.load(AutoModelForCausalLM, "decoder").state_dict()
    pairs = {
        "token_embd.weight": "model.embed_tokens.weight",
        "blk.7.ffn_down.weight": "model.layers.7.mlp.down_proj.weight",
        "blk.29.attn_v.weight": "model.layers.29.self_attn.v_proj.weight",
    }
    for packed, unpacked in pairs.items():
        expected = gguf.dequantize(blocks[packed].data, blocks[packed].tensor_type)
        torch.testing.assert_close(weights[unpacked], torch.from_numpy(expected), rtol=2**-8, atol=0)


def test_describe_counts_what_load_loads():
    table = models.describe()
    assert list(table.columns) == [
        "name",
        "family",
        "parameters",
        "layers",
        "width",
        "vocabulary",
        "megabytes",
        "licence",
    ]
    assert list(table["name"]) == list(scales.MODELS)
    for row in table.itertuples():
        body = models.load(AutoModel, row.name)
        assert row.parameters == sum(parameter.numel() for parameter in body.parameters())
        assert tuple(body.get_input_embeddings().weight.shape) == (row.vocabulary, row.width)
        assert (row.family, row.licence) == (body.config.model_type, assets.assets()[row.name].licence)


# New layers, seeds and silence


@pytest.mark.parametrize("pretrained", [True, False])
def test_new_layers_depend_on_the_seed_alone(encoder, pretrained):
    def draw(seed, noise):
        torch.manual_seed(noise)
        return models.load(CLASSIFIER, encoder, seed=seed, num_labels=3, pretrained=pretrained)

    one, same, other = draw(0, 1), draw(0, 2), draw(1, 1)
    assert torch.equal(one.classifier.weight, same.classifier.weight)
    assert not torch.equal(one.classifier.weight, other.classifier.weight)
    bodies = [model.bert.encoder.layer[1].output.dense.weight for model in (one, same, other)]
    assert torch.equal(bodies[0], bodies[1])
    assert torch.equal(bodies[0], bodies[2]) == pretrained


@pytest.mark.parametrize("pretrained", [True, False])
def test_the_global_random_states_stay(encoder, pretrained):
    before = torch.get_rng_state(), np.random.get_state()[1].copy(), random.getstate()
    models.load(CLASSIFIER, encoder, num_labels=3, pretrained=pretrained)
    assert torch.equal(torch.get_rng_state(), before[0])
    assert np.array_equal(np.random.get_state()[1], before[1])
    assert random.getstate() == before[2]


def test_untrained_is_the_same_network_with_other_weights(encoder):
    trained, untrained = (models.load(CLASSIFIER, encoder, num_labels=3, pretrained=flag) for flag in (True, False))
    shapes = [{name: weight.shape for name, weight in m.state_dict().items()} for m in (trained, untrained)]
    assert shapes[0] == shapes[1]
    dense = "bert.encoder.layer.0.attention.self.query.weight"
    assert not torch.equal(trained.state_dict()[dense], untrained.state_dict()[dense])


@pytest.mark.parametrize("pretrained", [True, False])
def test_models_come_in_float32_evaluating_and_as_configured(encoder, pretrained):
    model = models.load(
        AutoModelForTokenClassification, encoder, pretrained=pretrained, num_labels=5, attn_implementation="eager"
    )
    assert {weight.dtype for weight in model.parameters()} == {torch.float32}
    assert not model.training
    assert model.classifier.out_features == model.config.num_labels == 5
    assert model.config._attn_implementation == "eager"


def test_loading_prints_nothing(capfd):
    models.load(CLASSIFIER, num_labels=3)
    models.load(CLASSIFIER, "decoder", num_labels=3)
    assert capfd.readouterr() == ("", "")


def test_unpacking_a_gguf_prints_nothing_and_writes_what_others_can_use(decoder, tmp_path, monkeypatch, capfd):
    stub_gguf(monkeypatch, decoder)
    content = unpacking.unpack_gguf(tmp_path / "x.gguf", tmp_path / "unpacked")
    assert capfd.readouterr() == ("", "")
    assert all(file.stat().st_mode & 0o044 == 0o044 for file in content.iterdir())
    assert json.loads((content / "config.json").read_text(encoding="utf-8"))["pad_token_id"] == 0


def test_a_head_for_another_number_of_classes_is_drawn_anew(encoder, tmp_path):
    models.load(CLASSIFIER, encoder, num_labels=3).save_pretrained(tmp_path / "three")
    again = models.load(CLASSIFIER, tmp_path / "three", num_labels=3, seed=7)
    five = models.load(CLASSIFIER, tmp_path / "three", num_labels=5, seed=7)
    assert torch.equal(again.classifier.weight, models.load(CLASSIFIER, encoder, num_labels=3).classifier.weight)
    assert five.classifier.weight.shape == (5, 8) and five.classifier.weight.std() > 0
    assert torch.equal(five.bert.pooler.dense.weight, again.bert.pooler.dense.weight)


def test_a_pooler_may_be_missing(encoder):
    edit_weights(encoder, lambda weights: [weights.pop(name) for name in list(weights) if "pooler" in name])
    assert models.load(CLASSIFIER, encoder).bert.pooler.dense.weight.std() > 0


def test_an_adapter_beside_the_weights_is_refused(decoder, tmp_path):
    plain = models.load(AutoModelForCausalLM, decoder)
    adapted = get_peft_model(models.load(AutoModelForCausalLM, decoder), LoraConfig(init_lora_weights=False))
    with warnings.catch_warnings(action="ignore"):
        adapted.save_pretrained(tmp_path / "adapter")
    for file in (tmp_path / "adapter").glob("adapter_*"):
        shutil.copy(file, decoder)
    with pytest.raises(InputError, match=r"^'.*decoder' holds an adapter \(adapter_config.json\) .*; move the adapter"):
        models.load(AutoModelForCausalLM, decoder)
    for file in decoder.glob("adapter_*"):
        file.unlink()
    again = models.load(AutoModelForCausalLM, decoder).state_dict()
    assert all(torch.equal(weight, again[name]) for name, weight in plain.state_dict().items())


def test_a_language_model_head_that_is_not_there_is_said(encoder, decoder):
    with pytest.warns(UserWarning, match="brings no language-model head"):
        models.load(AutoModelForMaskedLM, encoder)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        models.load(AutoModelForCausalLM, decoder)


# Padding


def test_the_pad_token_is_told_to_the_model(decoder):
    tokenizer, model = models.tokenizer(decoder), models.load(AutoModelForCausalLM, decoder)
    assert (tokenizer.pad_token, tokenizer.eos_token) == ("<unk>", "<end>")
    assert model.config.pad_token_id == model.generation_config.pad_token_id == 0
    model(input_ids=torch.tensor([[1, 2]]), labels=torch.tensor([[1, 2]])).loss.backward()
    assert model.get_input_embeddings().weight.grad[1].abs().sum() > 0  # the end token can be learned


def test_a_token_made_for_padding_is_preferred(tmp_path):
    folder = save_decoder(tmp_path, ("<unk>", "<end>", "a", "<pad>"))
    assert models.tokenizer(folder).pad_token == "<pad>"
    assert models.load(CLASSIFIER, folder).config.pad_token_id == 3


def test_a_vocabulary_with_nothing_to_spare_pads_with_its_end(tmp_path):
    config = GPT2Config(vocab_size=2, n_embd=4, n_layer=1, n_head=1, bos_token_id=0, eos_token_id=0)
    GPT2LMHeadModel(config).save_pretrained(tmp_path)
    save_tokenizer(tmp_path, ["a", "<end>"])
    tokenizer = PreTrainedTokenizerFast.from_pretrained(tmp_path)
    tokenizer.unk_token = tokenizer.pad_token = tokenizer.eos_token
    tokenizer.save_pretrained(tmp_path)
    found = models.tokenizer(tmp_path)
    assert found.pad_token_id == found.eos_token_id == 1
    assert found.model_max_length == config.n_positions == 1024, "the tokenizer does not say it, the model does"


# Folders, the Hub, and what goes wrong with them


def hub_cache(monkeypatch, tmp_path, name, folder):
    """Put a folder where the Hub's client keeps downloads of `name`."""
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    kept = tmp_path / "hub" / f"models--{name.replace('/', '--')}"
    (kept / "refs").mkdir(parents=True)
    (kept / "refs" / "main").write_text("0" * 40, encoding="utf-8")
    shutil.copytree(folder, kept / "snapshots" / ("0" * 40))


def test_a_role_at_scale_gpu_is_its_name_on_the_hub(monkeypatch, tmp_path, encoder, decoder):
    hub_cache(monkeypatch, tmp_path, "bert-base-uncased", encoder)
    assert models.load(CLASSIFIER, "encoder", scale="gpu", num_labels=3).config.hidden_size == 8
    monkeypatch.setenv("SFT_SCALE", "gpu")
    assert models.load(CLASSIFIER, "bert-base-uncased", pretrained=False).config.hidden_size == 8


def test_a_decoder_from_the_hub_gets_its_pad_token_too(monkeypatch, tmp_path, decoder):
    hub_cache(monkeypatch, tmp_path, "HuggingFaceTB/SmolLM2-1.7B-Instruct", decoder)
    assert models.tokenizer("decoder", scale="gpu").pad_token == "<unk>"
    assert models.load(AutoModelForCausalLM, "decoder", scale="gpu").config.pad_token_id == 0


@pytest.mark.parametrize("use", [lambda **k: models.load(CLASSIFIER, **k), models.tokenizer])
def test_a_missing_network_is_one_sentence(monkeypatch, tmp_path, use):
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    with pytest.raises(AssetError) as caught:
        use(model="encoder", scale="gpu")
    message = str(caught.value)
    assert message.startswith("model 'bert-base-uncased' could not be loaded from the Hub at scale 'gpu' (")
    assert message.endswith("connect to the network, pass the folder of a local copy, or set SFT_SCALE=laptop")
    assert "\n" not in message and ". " not in message
    with pytest.raises(
        AssetError,
        match=r"^model 'some/model' .* scale 'laptop' .* encoder or decoder or multilingual, which",
    ):
        use(model="some/model")


def test_helpers_offline_reaches_the_hub_s_client(monkeypatch, encoder):
    seen = []
    monkeypatch.setattr(loading.hub, "ask", lambda name: None)
    monkeypatch.setattr(loading.AutoConfig, "from_pretrained", lambda _, **options: seen.append(options) or 1 / 0)
    for offline in ("0", "1"):
        monkeypatch.setenv("HELPERS_OFFLINE", offline)
        with pytest.raises(ZeroDivisionError):
            models.load(CLASSIFIER, "some/model")
    assert [options["local_files_only"] for options in seen] == [False, True]
    assert all(options["trust_remote_code"] is False for options in seen)


@pytest.mark.parametrize("name", ["./nowhere", "/nowhere", "a/b/c", "~/no-such-folder"])
def test_a_path_that_is_no_folder_never_reaches_the_hub(name):
    with pytest.raises(
        InputError, match=r"^'.*' is not a folder; pass a folder, a name on the Hub, or encoder or deco"
    ):
        models.load(CLASSIFIER, name)


def test_a_folder_without_a_model_says_what_is_missing(encoder):
    (encoder / "model.safetensors").unlink()
    with pytest.raises(InputError, match=r"holds no weights; pass one with model\.safetensors"):
        models.load(CLASSIFIER, encoder)
    (encoder / "config.json").unlink()
    with pytest.raises(InputError, match=r"holds no config\.json; pass one that save_pretrained has written"):
        models.load(CLASSIFIER, encoder)


class Bomb:
    """Unpickling it creates a file: what a hostile checkpoint could do."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


def test_pickled_weights_are_refused_unopened(encoder, tmp_path):
    (encoder / "pytorch_model.bin").write_bytes(pickle.dumps(Bomb(tmp_path / "exploded")))
    models.load(CLASSIFIER, encoder)  # beside safetensors it is not looked at
    (encoder / "model.safetensors").unlink()
    with pytest.raises(
        InputError, match=r"holds only pytorch_model\.bin, which may run code when opened; pass one with"
    ):
        models.load(CLASSIFIER, encoder)
    assert not (tmp_path / "exploded").exists()


@pytest.mark.parametrize("model_type", ["bert", "new"])
def test_code_that_comes_with_a_model_is_not_run(encoder, tmp_path, model_type):
    (encoder / "code.py").write_text(f"open({str(tmp_path / 'exploded')!r}, 'w')", encoding="utf-8")
    names = {"AutoConfig": "code.Config", CLASSIFIER.__name__: "code.Model"}
    edit_config(encoder, auto_map=names, model_type=model_type)
    if model_type == "bert":
        models.load(CLASSIFIER, encoder)
    else:
        with pytest.raises(InputError, match=r"^model '.*' cannot be read from .*: "):
            models.load(CLASSIFIER, encoder)
    assert not (tmp_path / "exploded").exists()


def test_weights_that_do_not_fit_are_refused(encoder):
    with pytest.raises(InputError, match=r"'bert\.encoder\.layer\.2\.[\w.]+' and 15 more of the body are missing"):
        models.load(CLASSIFIER, encoder, num_hidden_layers=3)
    with pytest.raises(InputError, match=r"do not fit its configuration: 'bert\.[\w.]+' and \d+ more"):
        models.load(CLASSIFIER, encoder, intermediate_size=32)
    edit_weights(encoder, lambda weights: weights.pop("encoder.layer.0.output.dense.weight"))
    for auto_class in (CLASSIFIER, AutoModel):
        with pytest.raises(InputError, match=r"layer\.0\.output\.dense\.weight' and 0 more of the body are missing or"):
            models.load(auto_class, encoder)


def test_damaged_files_are_one_sentence(encoder):
    weights = (encoder / "model.safetensors").read_bytes()
    (encoder / "model.safetensors").write_bytes(weights[: len(weights) // 2])
    with pytest.raises(InputError, match=r"^model '.*' cannot be read from .*: [^\n]*$"):
        models.load(CLASSIFIER, encoder)
    (encoder / "config.json").write_text("{", encoding="utf-8")
    with pytest.raises(InputError, match=r"^model '.*' cannot be read from .*: [^\n]*$"):
        models.load(CLASSIFIER, encoder)


def test_an_unknown_configuration_field_is_named(encoder):
    with pytest.raises(InputError, match=r"^model '.*' \(bert\) has no configuration field 'num_label'$"):
        models.load(CLASSIFIER, encoder, num_label=3)


def test_a_class_that_the_model_cannot_be_is_one_sentence(encoder):
    with pytest.raises(InputError, match=r"^model '.*' cannot be read from .*: [^\n]*AutoModelForSeq2SeqLM$"):
        models.load(AutoModelForSeq2SeqLM, encoder)


def stub_gguf(monkeypatch, folder):
    """Reading any GGUF gives the model and the tokenizer of `folder`."""
    for name in ("AutoModelForCausalLM", "AutoTokenizer"):
        real = getattr(unpacking, name)
        stub = type(
            name, (), {"from_pretrained": staticmethod(lambda *_, real=real, **__: real.from_pretrained(folder))}
        )
        monkeypatch.setattr(unpacking, name, stub)


def test_a_disk_that_fills_while_a_gguf_is_unpacked(decoder, tmp_path, monkeypatch):
    monkeypatch.setenv("HELPERS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(assets, "fetch", lambda _: tmp_path / "model.gguf")
    stub_gguf(monkeypatch, decoder)

    def full(*_, **__):
        raise SafetensorError("I/O error: No space left on device (os error 28)")

    with monkeypatch.context() as patch:
        patch.setattr(LlamaForCausalLM, "save_pretrained", full)
        with pytest.raises(
            AssetError, match=r"^'model.gguf' cannot be unpacked in .*cache: .*No space left.*; free some"
        ):
            models.tokenizer("decoder")
    assert {path.suffix for path in (tmp_path / "cache").rglob("*") if path.is_file()} == {".lock"}
    assert models.tokenizer("decoder").pad_token == "<unk>"
