"""A decoder in GGUF writes in llama.cpp what PyTorch writes, its template and stop tokens included, or is refused."""

import json
import math
import re
from dataclasses import replace
from types import SimpleNamespace

import gguf
import pytest
import tiny
import tiny_decoder
import torch
from tiny_export import exported
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from helpers import Generation, fit
from helpers.errors import InputError
from helpers.export import exporting, gguf_file, ollama, replay_texts
from helpers.export.formats import FORMATS
from helpers.export.llama import Llama
from helpers.tasks.base import Predictor
from helpers.tasks.generation.chat import ChatTemplate

STOP = "<|finish|>"  # a name that llama.cpp does not take for a stop token by itself
TEMPLATE = tiny_decoder.TEMPLATE.replace(tiny_decoder.END, STOP)
TASKS = {"chat": Generation(max_new_tokens=8), "plain": Generation(template="plain", max_new_tokens=8)}


def tokenizer(template: str | None = TEMPLATE) -> PreTrainedTokenizerFast:
    """A token a byte, one merge, and three special ones."""
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    special = [tiny_decoder.PAD, tiny_decoder.START, STOP]
    inside = Tokenizer(models.BPE({token: i for i, token in enumerate([*special, *letters, "ab"])}, [("a", "b")]))
    inside.pre_tokenizer, inside.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    inside.add_special_tokens(special)
    names = {"pad_token": special[0], "eos_token": STOP, "chat_template": template}
    return PreTrainedTokenizerFast(tokenizer_object=inside, model_max_length=128, **names)


def model(**changes) -> LlamaForCausalLM:
    """Two layers of width 32 with two heads, which share their keys and values."""
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "num_key_value_heads": 1}
    special = {"pad_token_id": 0, "bos_token_id": None, "eos_token_id": 2}
    settings = {
        "vocab_size": 260,
        "intermediate_size": 64,
        "max_position_embeddings": 128,
        "tie_word_embeddings": True,
    } | changes
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return LlamaForCausalLM(LlamaConfig(**sizes, **special, **settings)).eval()


@pytest.fixture(scope="module")
def trained() -> dict[str, Predictor]:
    """For each template a decoder that has learnt to answer, and to stop."""
    recipe, made = tiny_decoder.recipe(epochs=40), {}
    for name, task in TASKS.items():
        run = fit(task, model(), tokenizer(), tiny_decoder.rows(), None, recipe)
        made[name] = Predictor(task, run.model.cpu().eval(), tokenizer())
    return made


@pytest.mark.parametrize("template", TASKS)
def test_llama_cpp_writes_what_pytorch_writes(template, trained, tmp_path):
    certificate = exported(tmp_path, trained[template], "gguf", tiny_decoder.rows())
    assert certificate.largest < 0.05 and certificate.equal > 0.9 and certificate.n == 24
    written = gguf.GGUFReader(tmp_path / "out" / "model.gguf").fields
    assert written["tokenizer.ggml.eos_token_id"].contents() == 2
    assert ("tokenizer.chat_template" in written) == (template == "chat")
    told = json.loads((tmp_path / "out" / "certificate.json").read_text(encoding="utf-8"))
    assert told["format"] == "gguf" and told["metric"] == "chrf" and "llama.cpp" in told["runtime"]


def test_eight_bits_are_judged_by_the_texts(trained, tmp_path):
    certificate = exported(tmp_path, trained["chat"], "gguf-q8", tiny_decoder.rows())
    assert certificate.difference.low > -2  # of 100
    kinds = {tensor.tensor_type for tensor in gguf.GGUFReader(tmp_path / "out" / "model.gguf").tensors}
    assert kinds == {gguf.GGMLQuantizationType.Q8_0, gguf.GGMLQuantizationType.F32}


def lost_names(tokenizer, size):
    """A vocabulary that has forgotten its last tokens, but not how many there were."""
    known = VOCABULARY(tokenizer, size)
    return [*known[:-10], *(f"[UNUSED{i}]" for i in range(10))]


VOCABULARY, STOP_TOKENS = gguf_file.vocabulary, gguf_file.stop_tokens
SABOTAGE = {
    "rows of queries and keys in the order of transformers": ("rope_order", lambda rows, heads: rows, "nats off"),
    "a stop token too many": (
        "stop_tokens",
        lambda template: [*STOP_TOKENS(template), *template.tokenizer.convert_tokens_to_ids(["A", "B"])],
        "7 of its answers end where PyTorch goes on, as at a token that .*; use it from its own folder",
    ),
    "no stop token": ("stop_tokens", lambda template: [], "go on after a token that ends answers"),
    "another template": (
        "chat_template",
        lambda template: TEMPLATE.replace("assistant", "machine"),
        "24 of 24 prompts as other tokens",
    ),
    "a vocabulary that is cut": (
        "vocabulary",
        lambda tokenizer, size: VOCABULARY(tokenizer, size)[:-5],
        "does not load",
    ),
    "a vocabulary without names": ("vocabulary", lost_names, "prompts as other tokens"),
}


@pytest.mark.parametrize("fault", SABOTAGE)
@pytest.mark.parametrize("to", ["gguf", "gguf-q8"])
def test_a_file_with_a_fault_is_refused_and_leaves_nothing(fault, to, trained, tmp_path, monkeypatch):
    name, replacement, sentence = SABOTAGE[fault]
    monkeypatch.setattr(gguf_file, name, replacement)
    with pytest.raises(InputError, match=sentence if to == "gguf" or "nats" not in sentence else "chrf"):
        exported(tmp_path, trained["chat"], to, tiny_decoder.rows())
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_a_token_that_llama_cpp_alone_takes_for_an_end_is_told(tmp_path):
    foreign, rows, made = "<|im_end|>", tiny_decoder.rows(), tokenizer()
    made.backend_tokenizer.add_tokens([AddedToken(foreign, special=False)])
    rows = rows.map(lambda row: {"completion": f"{row['completion']}{foreign}Z"})
    run = fit(TASKS["plain"], model(vocab_size=261), made, rows, None, tiny_decoder.recipe(epochs=60))
    writer = Predictor(TASKS["plain"], run.model.cpu().eval(), made)
    assert writer.answers(["d"]) == [{"completion": f"DD{foreign}Z"}]
    with pytest.raises(InputError, match="24 of its answers end where PyTorch goes on"):
        exported(tmp_path, writer, "gguf", rows)


def test_too_few_answers_like_pytorch_are_refused_however_near_their_tokens_are(trained, tmp_path, monkeypatch):
    monkeypatch.setattr(replay_texts, "_own", lambda predictor, rows, answers, same: ["other"] * len(answers))
    with pytest.raises(InputError, match=r"0.0% of the answers are PyTorch's, and 90% must be"):
        exported(tmp_path, trained["chat"], "gguf", tiny_decoder.rows(6))


def test_what_is_not_a_number_in_llama_cpp_is_never_near(trained, tmp_path, monkeypatch):
    answer, count = Llama.answer, iter(range(99))

    def once_unknown(self, prompt, limit):
        written = answer(self, prompt, limit)
        return replace(written, log_p=[*written.log_p[:-1], math.nan]) if next(count) == 3 else written

    monkeypatch.setattr(Llama, "answer", once_unknown)
    with pytest.raises(InputError, match="it is nan nats off on one of 6 rows"):
        exported(tmp_path, trained["plain"], "gguf", tiny_decoder.rows(6))


def test_llama_cpp_tells_what_is_not_a_number_as_null():
    content = [{"id": 5, "logprob": None}, {"id": 6, "logprob": -0.5}]
    told = {"choices": [{"logprobs": {"content": content}, "text": "ab", "finish_reason": "stop"}]}
    llama = object.__new__(Llama)
    llama.server = SimpleNamespace(handle_completions=lambda asked: told)
    written = llama.answer("a", 3)
    assert math.isnan(written.log_p[0]) and written.log_p[1] == -0.5 and written.ids == [5, 6]


def shown(template: str, system: str, prompt: str) -> str:
    """What Go makes of a template of our form."""
    form = re.fullmatch(r"\{\{ if \.System \}\}(.*)\{\{ else \}\}(.*)\{\{ end \}\}(.*)", template, flags=re.DOTALL)
    text = (form[1] if system else form[2]) + form[3]
    return text.replace("{{ .System }}", system).replace("{{ .Prompt }}", prompt)


@pytest.mark.parametrize("system", ["", "Be brief."])
def test_ollama_frames_a_prompt_as_the_template_does(system):
    turns = [{"role": "system", "content": system}] * bool(system) + [{"role": "user", "content": "abc"}]
    expected = tokenizer().apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
    assert shown(ollama.frames(ChatTemplate(tokenizer(), "chat")), system, "abc") == expected


def test_the_modelfile_names_the_file_the_system_turn_and_the_stop_tokens():
    task = Generation(system="Be brief.", max_new_tokens=9)
    text = ollama.modelfile(task, ChatTemplate(tokenizer(), "chat"), "model.gguf")
    for line in ("FROM ./model.gguf", 'SYSTEM """Be brief."""', "PARAMETER num_predict 9", f'PARAMETER stop "{STOP}"'):
        assert line in text.splitlines()


@pytest.mark.parametrize(
    ("system", "template", "stop", "sentence"),
    [
        (
            'Say """hi""".',
            TEMPLATE,
            STOP,
            r'the system turn holds """, which the Modelfile .*; train without it, or use',
        ),
        (None, TEMPLATE.replace("<|start|>", '"""'), STOP, 'the chat template holds """, which'),
        (
            None,
            f"{{% if messages[0].role == 'system' %}}{{{{ '{{{{' }}}}{{% endif %}}{TEMPLATE}",
            STOP,
            "holds {{, which",
        ),
        (None, TEMPLATE.replace("<|start|>", "{{"), STOP, "the chat template holds {{, which"),
        (None, TEMPLATE, 'a"b', "the stop token 'a\"b' holds \", which"),
    ],
)
def test_what_a_modelfile_cannot_quote_is_told_before_the_file_is_written(
    system, template, stop, sentence, tmp_path, monkeypatch
):
    made = tokenizer(template)
    if stop != STOP:
        monkeypatch.setattr(ollama, "stop_tokens", lambda template: [made.convert_tokens_to_ids(STOP), 5])
        monkeypatch.setattr(PreTrainedTokenizerFast, "convert_ids_to_tokens", lambda self, ids: [STOP, stop])
    monkeypatch.setattr(gguf_file, "write", None)
    with pytest.raises(InputError, match=sentence):
        replay_texts.write(Predictor(Generation(system=system), model(), made), FORMATS["gguf"], tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_system_turn_with_single_quotes_and_braces_is_written():
    task = Generation(system='Write "{{ .Name }}".')  # Ollama fills a system turn in, and reads no template there
    assert 'SYSTEM """Write "{{ .Name }}"."""' in ollama.modelfile(task, ChatTemplate(tokenizer(), "chat"), "m.gguf")


def unknown_cut() -> PreTrainedTokenizerFast:
    made = tokenizer()
    made.backend_tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Whitespace(), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    return made


MISTAKES = {
    "a vocabulary without a name": (lambda: Predictor(TASKS["chat"], model(), unknown_cut()), "GGUF has no name here"),
    "another family": (
        lambda: Predictor(TASKS["chat"], model(attention_bias=True), tokenizer()),
        "a Llama with biases",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_what_gguf_has_no_name_for_is_one_sentence(mistake, tmp_path):
    make, sentence = MISTAKES[mistake]
    with pytest.raises(InputError, match=sentence):
        exported(tmp_path, make(), "gguf", tiny_decoder.rows(6))
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_rows_that_are_no_whole_blocks_of_8_bits_are_told_before_the_work(tmp_path, monkeypatch):
    monkeypatch.setattr(exporting, "_written", None)
    narrow = Predictor(TASKS["chat"], model(intermediate_size=72), tokenizer())
    with pytest.raises(InputError, match=r"'gguf-q8' rounds blocks of 32 weights, and a row of '.*down_proj.*' has 72"):
        exported(tmp_path, narrow, "gguf-q8", tiny_decoder.rows(6))
    assert [path.name for path in tmp_path.iterdir()] == ["model"]
    gguf_file.check(narrow.model, FORMATS["gguf"])


@pytest.mark.parametrize(
    ("to", "size", "sentence"),
    [
        (
            "gguf",
            1e5,
            r"'.*up_proj.*' holds a weight of the size 100,000, and 'gguf' has room for 65,504 .*; export to g",
        ),
        ("gguf", 1e9, "has room for 65,504 at the most; use it from its own folder"),
        ("gguf-q8", 1e9, "'gguf-q8' has room for 8,319,008 at the most; use it from its own folder"),
        (
            "gguf",
            math.nan,
            "holds a weight of the size nan, and 'gguf' has room for 65,504 at the most; use it from its",
        ),
    ],
)
def test_a_weight_that_is_too_large_for_the_form_is_told_before_the_work(to, size, sentence, tmp_path, monkeypatch):
    monkeypatch.setattr(exporting, "_written", None)
    large = Predictor(TASKS["chat"], model(), tokenizer())
    large.model.model.layers[1].mlp.up_proj.weight.data[3, 5] = size
    with pytest.raises(InputError, match=sentence):
        gguf_file.check(large.model, FORMATS[to])
    if size == 1e5:
        gguf_file.check(large.model, FORMATS["gguf-q8"])
        with pytest.raises(InputError, match=sentence):
            exported(tmp_path, large, to, tiny_decoder.rows(6))
        assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_an_answer_that_llama_cpp_refuses_is_one_sentence():
    server = SimpleNamespace(handle_completions=lambda asked: {"error": {"message": "full"}})
    llama = object.__new__(Llama)
    llama.server = server
    with pytest.raises(InputError, match=r"llama.cpp gives no answer to a prompt \(.*full.*\); use it from its own"):
        llama.answer("a", 3)


def test_a_classifier_is_not_for_gguf(tmp_path):
    words = Predictor(tiny.TASK, tiny.model().eval(), tiny.tokenizer())
    with pytest.raises(InputError, match="'gguf' holds no models for classification; choose onnx or onnx-int8"):
        exported(tmp_path, words, "gguf", tiny.rows(6))
    assert FORMATS["gguf"].tasks == ("generation",)
