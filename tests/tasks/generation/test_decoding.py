"""What is written depends on the prompt alone: on no neighbour, no reference, and no setting that a model brings."""

from dataclasses import replace

import pytest
import tiny_decoder as tiny
import torch
from datasets import Dataset
from transformers import BloomConfig, BloomForCausalLM, GPT2Config, GPT2LMHeadModel, MambaConfig, MambaForCausalLM

from helpers import Generation
from helpers.errors import InputError
from helpers.models import lora
from helpers.tasks.generation import decoding
from helpers.tasks.writing import WrittenTexts, without_own_settings

WINDOW = 40
PROMPTS = ["ab" * k + "c" * (k % 3) for k in (1, 2, 3, 5, 8, 12, 15, 16, 17)]
COMPLETIONS = ("Z", "YZ" * 2, "XYZ" * 4)


def wild(seed: int = 3):
    """Weights so large that an answer depends on its prompt."""
    return tiny.model(seed, initializer_range=0.5).double()


def words():
    return tiny.tokenizer(window=WINDOW)


def asked(task, prompts):
    return task.encode(words(), Dataset.from_dict({"prompt": list(prompts)}))


def labelled(prompts, completion: str) -> Dataset:
    return Dataset.from_dict({"prompt": list(prompts), "completion": [completion] * len(prompts)})


def greedy(model, ids: list[int], most: int) -> list[int]:
    written = []
    while len(written) < most and (not written or written[-1] != 2):
        written.append(int(model(torch.tensor([ids + written])).logits[0, -1].argmax()))
    return written


@pytest.mark.filterwarnings("ignore:.*prompts were cut")
@pytest.mark.parametrize("template", ["plain", "chat"])
@pytest.mark.parametrize("length", [None, 18, 30, 39, 200])
def test_an_answer_depends_on_its_prompt_alone(template, length):
    if template == "chat" and length == 18:
        length = 36  # the frame takes more than that
    prompts = [prompt[:20] for prompt in PROMPTS] if length else ["a", "b", "cc", "abc", "ca", "bca"]
    task = Generation(template=template, max_length=length, max_new_tokens=6 if template == "plain" else 4)
    model, tokenizer = wild(), words()
    alone = [task.generate(model, tokenizer, asked(task, [prompt])).texts[0] for prompt in prompts]
    assert len(set(alone)) > 3, "answers that do not depend on the prompt test nothing"
    assert task.generate(model, tokenizer, asked(task, prompts)).texts == alone
    assert task.generate(model, tokenizer, asked(task, prompts[::-1]), batch_rows=4).texts == alone[::-1]
    scored = WrittenTexts(task, tokenizer)
    for completion in COMPLETIONS:
        rows = labelled(prompts, completion)
        assert scored.predict(model, scored.encode(tokenizer, rows)) == alone
        assert scored.encode(tokenizer, rows)["completion"][:] == [completion] * len(prompts)
        if template == "plain":
            assert task.generate(model, tokenizer, task.encode(tokenizer, rows)).texts == alone


@pytest.mark.filterwarnings("ignore:.*prompts were cut")
def test_a_prompt_is_cut_in_training_as_it_is_in_use():
    task = replace(tiny.PLAIN, max_length=20, max_new_tokens=6)
    used = asked(task, PROMPTS)["input_ids"][:]
    for completion in COMPLETIONS[:2]:
        learnt = task.encode(words(), labelled(PROMPTS, completion))
        assert [row["input_ids"][: row["prompt_tokens"]] for row in learnt] == used[:]
    longer = task.encode(
        words(), labelled(PROMPTS, COMPLETIONS[2])
    )  # cuts prompts further, but not those that are asked
    assert [row["asked"] or row["input_ids"][: row["prompt_tokens"]] for row in longer] == used[:]
    assert max(map(len, longer["input_ids"])) == 20


def test_an_answer_near_the_window_stops_there_and_shortens_no_other():
    task = replace(tiny.PLAIN, max_new_tokens=16)
    model, prompts = wild(), ["a", "ab", "b" * 30, "ab" * 16 + "a", "c" * 36]
    rows = task.encode(words(), labelled(prompts, "Z"))
    found = task.generate(model, words(), rows)
    for prompt, text, tokens in zip(prompts, found.texts, found.tokens, strict=True):
        expected = greedy(model, list(words()(prompt)["input_ids"]), min(16, WINDOW - len(prompt)))
        assert tokens == len(expected) and text == words().decode(expected, skip_special_tokens=True)
    with pytest.raises(
        InputError, match=r"^prompt in row 3 needs 30 tokens .* \(--max-new-tokens\) is 16, and the mod"
    ):
        asked(task, prompts)


def test_an_unlabelled_row_whose_frame_does_not_fit_is_told_without_a_completion():
    task = replace(tiny.CHAT, max_length=20, max_new_tokens=8)
    with pytest.raises(
        InputError, match=r"^the frame of the prompt in row 1 needs \d+ tokens, max_new_tokens .* is 8, and"
    ):
        asked(task, ["abcdef"])


BROUGHT = {
    "suppress_tokens": list(range(3, 259)), "bad_words_ids": [[i] for i in range(3, 200)], "forced_eos_token_id": 2,
    "exponential_decay_length_penalty": (0, 3.0), "max_time": 1e-9, "sequence_bias": [[[67], 1e3]],
    "encoder_repetition_penalty": 9.0, "guidance_scale": 4.0, "repetition_penalty": 5.0, "no_repeat_ngram_size": 1,
    "stop_strings": ["a"], "min_new_tokens": 12, "begin_suppress_tokens": list(range(3, 259)),
    "forced_bos_token_id": 70, "prompt_lookup_num_tokens": 3,
}  # fmt: skip
DRAWN = {"min_p": 0.9, "typical_p": 0.01, "epsilon_cutoff": 0.9, "eta_cutoff": 0.9, "top_h": 0.01, "top_k": 1}


@pytest.mark.parametrize("wrapped", [False, True])
def test_settings_that_a_model_brings_change_no_answer_and_are_kept(wrapped):
    task, model = tiny.PLAIN, wild()
    rows, tokenizer = asked(task, PROMPTS[:5]), words()
    model = lora.add(model, 2) if wrapped else model
    hot = {"temperature": 2.0, "top_p": 0.95}
    expected, drawn = task.generate(model, tokenizer, rows), task.generate(model, tokenizer, rows, **hot)
    holder = model.get_base_model() if wrapped else model
    for name, value in {**BROUGHT, **DRAWN}.items():
        own = type(holder.generation_config)(**{name: value})
        holder.generation_config = own
        assert task.generate(model, tokenizer, rows).texts == expected.texts, name
        assert task.generate(model, tokenizer, rows, **hot).texts == drawn.texts, name
        assert holder.generation_config is own and getattr(own, name) is not None


def test_a_model_has_its_settings_again_after_an_error():
    model = tiny.model()
    own = model.generation_config
    with pytest.raises(RuntimeError), without_own_settings(model) as writer:
        assert writer.generation_config is not own
        raise RuntimeError
    assert model.generation_config is own


def small_gpt2():
    torch.manual_seed(0)
    return GPT2LMHeadModel(
        GPT2Config(vocab_size=259, n_positions=64, n_embd=32, n_layer=2, n_head=2, initializer_range=0.4)
    )


def small_mamba():
    torch.manual_seed(0)
    return MambaForCausalLM(
        MambaConfig(vocab_size=259, hidden_size=32, num_hidden_layers=2, state_size=4, initializer_range=0.4)
    )


@pytest.mark.parametrize("make", [wild, small_gpt2, small_mamba])
def test_rows_that_have_ended_leave_the_batch_and_change_nothing(make, monkeypatch):
    model, task = make().double().eval(), replace(tiny.PLAIN, max_new_tokens=20)
    mamba = isinstance(model, MambaForCausalLM)  # its state holds padding too, so its prompts are of one length
    prompts = [*"abcdefgh"] if mamba else [prompt[:18] for prompt in PROMPTS[:8]]
    rows, seen = asked(task, prompts), []
    ids = [row["input_ids"] for row in rows]
    whole = [greedy(model, row, 20) for row in ids]
    ends = sorted(
        {row[place] for row, place in zip(whole, (0, 2, 4, 9, 13, 3, 19, 5), strict=True) if place < len(row)}
    )
    cut = [next((row[: k + 1] for k, token in enumerate(row) if token in ends), row) for row in whole]
    assert len({len(row) for row in cut}) > 2
    hook = model.register_forward_pre_hook(
        lambda _, given, named: seen.append(named["input_ids"].shape), with_kwargs=True
    )
    for stretch in (1, 3, 100):
        monkeypatch.setattr(decoding, "STRETCH", stretch)
        seen.clear()
        found = decoding.generate(model, words(), rows, ends=ends, max_new_tokens=20)
        assert found.tokens.tolist() == [len(row) for row in cut]
        assert found.texts == [words().decode(row, skip_special_tokens=True) for row in cut]
        if stretch == 1 and not mamba:
            assert sum(shape[0] for shape in seen[2:]) == sum(map(len, cut)), (
                "after two probes, ended rows cost nothing"
            )
    hook.remove()


def test_the_keys_and_values_of_a_batch_stay_within_their_bound(monkeypatch):
    task, model = replace(tiny.PLAIN, max_new_tokens=8), wild()
    rows, seen = asked(task, PROMPTS[:7]), []
    expected = task.generate(model, words(), rows).texts
    row = 2 * 2 * 2 * 16 * 8  # bytes a token: keys and values, layers, heads, width of a head, float64
    monkeypatch.setattr(decoding, "CACHE_BYTES", 3 * 40 * row)
    model.register_forward_hook(lambda _, given, result: seen.append(result.past_key_values))
    assert task.generate(model, words(), rows).texts == expected
    held = [sum(layer.keys.nbytes + layer.values.nbytes for layer in cache.layers) for cache in seen]
    assert 0 < max(held) <= 3 * 40 * row


def test_a_model_that_sees_padding_answers_prompts_of_one_length_together(monkeypatch):
    torch.manual_seed(0)
    model = BloomForCausalLM(BloomConfig(vocab_size=259, hidden_size=32, n_layer=2, n_head=2)).double().eval()
    for parameter in model.parameters():
        if parameter.dim() > 1:
            torch.nn.init.normal_(parameter, std=0.4)
    prompts = ["a", "abcab", "b", "c" * 9, "dd", "e", "fgh", "g" * 4]
    rows = asked(tiny.PLAIN, prompts)
    alone = [tiny.PLAIN.generate(model, words(), asked(tiny.PLAIN, [prompt])).texts[0] for prompt in prompts]
    assert tiny.PLAIN.generate(model, words(), rows).texts == alone
    monkeypatch.setattr(decoding, "_manner", lambda *_: (True, True))
    assert tiny.PLAIN.generate(model, words(), rows).texts != alone, "a model that sees no padding tests nothing"
