"""A batch answers its rows as each is answered alone, and as transformers' own `generate` answers it."""

import families
import numpy as np
import pytest
import tiny_decoder as tiny
import torch
from datasets import Dataset
from transformers import LlamaConfig, LlamaForCausalLM

from helpers import Generation
from helpers.models.inference import computed_in, weights_in_bf16
from helpers.tasks.generation import decoding
from helpers.tasks.writing import until_end, without_own_settings

WINDOW, MOST = families.WINDOW, 20
LENGTHS = (1, 2, 3, 5, 7, 8, 12, 17, 20, 30, 40, 55, 60, 62, 63)  # the last have room for fewer than MOST tokens
# Keys and values alone; windows of 8 tokens, in all layers and in some; experts; positions learned, rotated and as
# slopes; states and convolutions that run over the padding.
FAMILIES = ("llama", "mistral", "gemma3_text", "mixtral", "gpt2", "opt", "gpt_neox", "bloom", "mamba", "lfm2")
BF16 = torch.autocast("cpu", torch.bfloat16)


class Numbers:
    """A tokenizer whose texts are the ids themselves."""

    pad_token_id, model_max_length = 0, WINDOW

    def decode(self, ids, **_):
        return " ".join(map(str, ids))


def wild(model, std: float = 0.3):
    """Weights so large that an answer depends on its whole prompt."""
    with torch.random.fork_rng():
        torch.manual_seed(1)
        for parameter in model.parameters():
            if parameter.dim() > 1:
                torch.nn.init.normal_(parameter, std=std)
    return model.eval()


def drawn(seed: int) -> list[list[int]]:
    random = np.random.default_rng(seed)
    return [random.integers(5, families.VOCABULARY, LENGTHS[i]).tolist() for i in random.permutation(len(LENGTHS))]


def rows(prompts) -> Dataset:
    return Dataset.from_list([{"input_ids": ids, "prompt_tokens": len(ids), "asked": []} for ids in prompts])


def alone(model, prompts, most: int = MOST, window: int = WINDOW) -> list[list[int]]:
    """What plain `generate` writes for each prompt, whatever ends an answer."""
    written = []
    for ids in prompts:
        decoding._forget_frequencies(model)
        with torch.inference_mode(), without_own_settings(model):
            about = {"max_new_tokens": max(1, min(most, window - len(ids))), "do_sample": False, "pad_token_id": 0}
            ids = torch.tensor([ids])
            whole = model.generate(ids, attention_mask=torch.ones_like(ids), eos_token_id=[], **about)
        written.append(whole[0, ids.shape[1] :].tolist())
    return written


def stops(written, seed: int) -> list[int]:
    """Tokens that end some answers at their first, some in their middle, and leave some as long as they may be."""
    random = np.random.default_rng(seed)
    some = [written[i] for i in random.permutation(len(written))[:4]]
    return sorted({answer[place] for answer, place in zip(some, (0, 2, 5, 9), strict=True) if place < len(answer)})


@pytest.mark.parametrize("family", FAMILIES)
def test_a_batch_writes_what_each_row_writes_alone(family, monkeypatch):
    model = wild(families.built("causal", family))
    prompts = drawn(0)
    free = alone(model, prompts)
    ends = stops(free, 1)
    expected = [" ".join(map(str, until_end(answer, ends))) for answer in free]
    assert len(set(expected)) > 8, "answers that do not depend on the prompt test nothing"
    assert len({len(text.split()) for text in expected}) > 3, "rows that all end together test nothing"
    for batch_rows, stretch in ((32, 8), (5, 1), (7, 3)):
        monkeypatch.setattr(decoding, "STRETCH", stretch)
        about = {"ends": ends, "max_new_tokens": MOST, "batch_rows": batch_rows}
        order = np.random.default_rng(stretch).permutation(len(prompts))
        found = decoding.generate(model, Numbers(), rows([prompts[i] for i in order]), **about)
        assert found.texts == [expected[i] for i in order]
        assert found.tokens.tolist() == [len(expected[i].split()) for i in order] and found.precision == "fp32"


def test_rows_with_room_for_different_numbers_of_tokens_share_a_batch():
    model, seen = wild(families.built("causal", "gpt2")), []
    prompts = [ids for ids in drawn(0) if len(ids) > 50]
    model.register_forward_pre_hook(lambda _, args, named: seen.append(len(named["input_ids"])), with_kwargs=True)
    found = decoding.generate(model, Numbers(), rows(prompts), ends=[], max_new_tokens=MOST)
    room = sorted(WINDOW - len(ids) for ids in prompts)
    assert sorted(found.tokens) == room and len(set(room)) == 4
    assert seen[2:] == [sum(left > step for left in room) for step in range(room[-1])]  # after two tries


def scaled(kind: str):
    """A model whose frequencies of positions are others where a row has more than 40 tokens, and fewer are tried."""
    long = {"short_factor": [1.0] * 8, "long_factor": [1.0 + i for i in range(8)]} if kind == "longrope" else {}
    rope = {"rope_type": kind, "rope_theta": 1e4, "factor": 4.0, "original_max_position_embeddings": 40, **long}
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
    room = WINDOW if kind == "longrope" else 40
    config = LlamaConfig(vocab_size=families.VOCABULARY, max_position_embeddings=room, rope_parameters=rope, **sizes)
    return wild(LlamaForCausalLM(config).float(), std=0.5)


@pytest.mark.parametrize("kind", ["longrope", "dynamic"])
def test_a_long_row_does_not_change_the_positions_of_a_shorter_one(kind, monkeypatch):
    model, prompts = scaled(kind), drawn(2)
    expected = [" ".join(map(str, answer)) for answer in alone(model, prompts)]
    for order in (range(len(prompts)), range(len(prompts) - 1, -1, -1)):
        some = rows([prompts[i] for i in order])
        found = decoding.generate(model, Numbers(), some, ends=[], max_new_tokens=MOST)
        assert found.texts == [expected[i] for i in order]
    monkeypatch.setattr(decoding, "_frequencies_change", lambda *_: False)
    assert decoding.generate(model, Numbers(), rows(prompts), ends=[], max_new_tokens=MOST).texts != expected


def weights(model) -> list[torch.Tensor]:
    return [tensor.clone() for tensor in (*model.parameters(), *model.buffers())]


@pytest.mark.parametrize("fails", [False, True])
def test_weights_are_in_bf16_while_it_lasts_and_then_bit_by_bit_what_they_were(fails):
    model = wild(families.built("causal", "llama"))
    before, places = weights(model), [parameter.data_ptr() for parameter in model.parameters()]
    try:
        with weights_in_bf16(model):
            assert {parameter.dtype for parameter in model.parameters()} == {torch.bfloat16}
            assert model.model.rotary_emb.inv_freq.dtype == torch.float32  # as where weights are read in bf16
            assert computed_in(model) == "bf16"
            if fails:
                raise RuntimeError
    except RuntimeError:
        assert fails
    assert all(torch.equal(a, b) for a, b in zip(before, weights(model), strict=True))
    assert [parameter.data_ptr() for parameter in model.parameters()] == places and computed_in(model) == "fp32"


def test_writing_in_half_precision_computes_in_bf16_and_leaves_the_model_as_it_was():
    model, seen = wild(tiny.model(3)), set()
    task, tokenizer = Generation(template="plain", max_new_tokens=6), tiny.tokenizer()
    encoded, before = task.encode(tokenizer, tiny.rows().remove_columns("completion")), weights(model)
    exact = task.generate(model, tokenizer, encoded)
    model.register_forward_hook(
        lambda _, args, result: seen.add((result.logits.dtype, model.dtype, len(result.logits)))
    )
    with BF16:
        rounded = task.generate(model, tokenizer, encoded)
    assert (exact.precision, rounded.precision) == ("fp32", "bf16")
    assert (torch.bfloat16, torch.bfloat16, len(encoded)) in seen, "prompts of all lengths share a batch in bf16 too"
    assert np.mean([a[:1] == b[:1] for a, b in zip(exact.texts, rounded.texts, strict=True)]) > 0.7
    assert all(torch.equal(a, b) for a, b in zip(before, weights(model), strict=True))
    assert task.generate(model, tokenizer, encoded).texts == exact.texts
    with torch.autocast("cpu", torch.bfloat16, enabled=False):
        assert task.generate(model, tokenizer, encoded).precision == "fp32"


def test_a_model_that_bf16_changes_writes_in_fp32_and_says_so():
    model = wild(tiny.model(3))
    model.lm_head.weight = torch.nn.Parameter(model.lm_head.weight + 1e4)  # bf16 tells apart what differs by 64
    task, tokenizer = Generation(template="plain", max_new_tokens=6), tiny.tokenizer()
    encoded = task.encode(tokenizer, tiny.rows().remove_columns("completion"))
    expected = task.generate(model, tokenizer, encoded).texts
    with (
        BF16,
        pytest.warns(UserWarning, match=r"^bf16 would change what this model \(llama\) computes, so it writes in"),
    ):
        found = task.generate(model, tokenizer, encoded)
    assert (found.texts, found.precision) == (expected, "fp32")
