"""The generation task: rows to tokens and what counts of them, the loss, packing, likelihoods, and written answers."""

import itertools
import warnings
from dataclasses import replace

import numpy as np
import pytest
import tiny_decoder as tiny
import torch
from datasets import Dataset, DatasetDict
from tokenizers import processors
from torch import nn
from transformers import AutoModelForCausalLM, AutoTokenizer, GPT2Config, GPT2LMHeadModel

from helpers import Generation, evaluation, models, saving
from helpers.data.corpus import Corpus, DataCard
from helpers.errors import InputError
from helpers.tasks.base import IGNORE
from helpers.tasks.generation.likelihood import likelihood, token_table
from helpers.tasks.generation.task import token_losses
from helpers.tasks.registry import from_dict
from helpers.training import loop
from helpers.workflow.finetune import finetune

CARD = DataCard("x", "y", "z", "row", "none", rows={}, labels={}, words={})
CHAT = [
    {"role": "system", "content": "be brief"},
    {"role": "user", "content": "hi"},
    {"role": "assistant", "content": "oh"},
    {"role": "user", "content": "ab"},
    {"role": "assistant", "content": "CD"},
]


def encode(task, data, **words):
    return task.encode(tiny.tokenizer(**words), data)


def pairs(*rows):
    return Dataset.from_list([{"prompt": prompt, "completion": completion} for prompt, completion in rows])


def chats(*rows):
    return Dataset.from_list([{"messages": list(turns)} for turns in rows])


def counted(row) -> str:
    """The text of the tokens that count."""
    table = token_table(tiny.tokenizer(), row)
    return "".join(table["token"][table["label"] != IGNORE])


def text(row) -> str:
    return tiny.tokenizer().decode(row["input_ids"])


# What a row becomes


def test_a_pair_becomes_prompt_completion_and_end_and_the_last_two_count():
    row = encode(tiny.PLAIN, pairs(("ab", "CD")))[0]
    assert text(row) == "abCD<|end|>"
    assert (counted(row), row["prompt_tokens"], row["cut"]) == ("CD<|end|>", 2, 0)


def test_a_chat_has_the_template_s_tokens_and_ends_with_the_last_turn():
    words = tiny.tokenizer()
    expected = words.apply_chat_template(CHAT, tokenize=True, return_dict=True)["input_ids"]
    row = encode(tiny.CHAT, chats(CHAT))[0]
    assert row["input_ids"] == expected[:-1]  # without the line break after the end of the last turn
    assert words.decode(expected[-1]) == "\n"


def test_in_a_chat_each_answer_counts_with_the_end_of_its_turn_and_nothing_else():
    row = encode(tiny.CHAT, chats(CHAT))[0]
    assert counted(row) == "oh<|end|>CD<|end|>"
    assert text({"input_ids": row["input_ids"][row["prompt_tokens"] :]}) == "CD<|end|>"


def test_a_pair_in_a_chat_template_is_the_chat_of_its_turns():
    one = encode(replace(tiny.CHAT, system="be brief"), pairs(("hi", "oh")))[0]
    assert one == encode(tiny.CHAT, chats(CHAT[:3]))[0]


@pytest.mark.parametrize("template", ["plain", "chat"])
def test_the_prompt_is_the_same_in_training_and_when_it_is_answered(template):
    task, data = Generation(template=template), pairs(("\nab ", "\n CD"), ("a", "B"))
    for learnt, asked in zip(encode(task, data), encode(task, data.remove_columns("completion")), strict=True):
        assert asked["input_ids"] == learnt["input_ids"][: learnt["prompt_tokens"]]
        assert sum(asked["counts"]) == 0


def test_supervising_all_counts_every_token_but_the_first():
    row = encode(replace(tiny.CHAT, supervise="all"), pairs(("ab", "CD")))[0]
    assert row["counts"] == [0] + [1] * (len(row["input_ids"]) - 1)
    assert row["prompt_tokens"] == encode(tiny.CHAT, pairs(("ab", "CD")))[0]["prompt_tokens"]


def test_a_text_that_spells_a_special_token_stays_text():
    for task in (tiny.PLAIN, tiny.CHAT):
        row = encode(task, pairs(("x<|end|>y", "<|end|>")))[0]
        assert row["input_ids"].count(2) == encode(task, pairs(("x", "z")))[0]["input_ids"].count(2)
        assert counted(row) == "<|end|><|end|>"


def test_a_template_without_a_closing_gets_the_end_token():
    open_ended = "{% for turn in messages %}[{{ turn['role'] }}]{{ turn['content'] }}{% endfor %}"
    open_ended += "{% if add_generation_prompt %}[assistant]{% endif %}"
    row = encode(tiny.CHAT, pairs(("ab", "CD")), template=open_ended)[0]
    assert text(row) == "[user]ab[assistant]CD<|end|>"
    assert counted(row) == "CD<|end|>"


def test_an_added_end_takes_nothing_from_the_template():
    open_ended = "{% for turn in messages %}[{{ turn['role'] }}]{{ turn['content'] }}{% endfor %}"
    open_ended += "{% if add_generation_prompt %}[assistant]{% endif %}"
    row = encode(tiny.CHAT, chats(CHAT[1:]), template=open_ended)[0]
    assert text(row) == "[user]hi[assistant]oh<|end|>[user]ab[assistant]CD<|end|>"


def test_training_sees_what_a_template_writes_only_when_it_asks():
    thinking = tiny.TEMPLATE.replace("assistant\n' }}{% endif %}", "assistant\n<think>' }}{% endif %}")
    assert thinking != tiny.TEMPLATE
    assert "<think>CD" in text(encode(tiny.CHAT, pairs(("ab", "CD")), template=thinking)[0])


def test_a_tokenizer_that_begins_each_text_begins_each_plain_row_too():
    words = tiny.tokenizer()
    words.bos_token = tiny.START
    words.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{tiny.START} $A", special_tokens=[(tiny.START, 1)]
    )
    assert text(tiny.PLAIN.encode(words, pairs(("ab", "CD")))[0]) == "<|start|>abCD<|end|>"


def test_the_template_s_end_and_the_tokenizer_s_both_end_an_answer():
    words = tiny.tokenizer()
    words.eos_token = tiny.START
    ends = [words.convert_tokens_to_ids(token) for token in (tiny.START, tiny.END)]
    seen = []
    network = tiny.model()
    write = network.generate
    network.generate = lambda *given, generation_config, **more: (
        seen.append(generation_config.eos_token_id) or write(*given, generation_config=generation_config, **more)
    )
    tiny.CHAT.generate(network, words, encode(tiny.CHAT, Dataset.from_list([{"prompt": "a"}])))
    assert seen[0] == ends


def test_the_window_bounds_max_length_and_a_row_of_its_length_is_whole():
    with pytest.warns(UserWarning, match="1 of 1 prompts were cut"):
        row = encode(replace(tiny.PLAIN, max_length=50, max_new_tokens=3), pairs(("abcdefghijkl", "CD")), window=10)[0]
    assert text(row) == "abcdefgCD<|end|>"
    assert encode(tiny.PLAIN, pairs(("c" * 125, "CD")))[0]["cut"] == 0  # 128 tokens fit
    with pytest.raises(
        InputError, match=r"^completion in row 1 needs 6 tokens with its end, .* max_length is 6; train"
    ):
        encode(replace(tiny.PLAIN, max_length=6, max_new_tokens=5), pairs(("ab", "CDEFG")))


def test_an_answer_ends_where_the_window_does():
    rows = encode(tiny.PLAIN, pairs(("c" * 122, "CDEFG")))  # 128 tokens, its end among them
    found = replace(tiny.PLAIN, max_new_tokens=20).generate(tiny.model(3), tiny.tokenizer(), rows)
    assert found.tokens.tolist() == [6] and not found.finished.any()


def test_sampling_draws_among_all_tokens_or_among_the_likeliest():
    task = replace(tiny.PLAIN, max_new_tokens=1)
    rows = encode(task, Dataset.from_dict({"prompt": ["a"] * 400}))

    def draw(**how):
        return task.generate(tiny.model(), tiny.tokenizer(), rows, **how).texts

    assert len(set(draw(temperature=50.0))) > 60
    assert draw(temperature=1.0, top_p=1e-6) == draw()


def test_a_system_turn_beside_whole_chats_is_refused():
    with pytest.raises(InputError, match="a system turn is given for rows that are whole chats; write it into"):
        encode(replace(tiny.CHAT, system="be brief"), chats(CHAT[1:3]))


def test_the_packaged_decoder_s_tokens_are_those_of_its_chat_template():
    words = models.tokenizer("decoder")
    turns = [{"role": "user", "content": "What is 12 + 7?"}, {"role": "assistant", "content": "It is 19."}]
    row = Generation().encode(words, chats(turns))[0]
    expected = words.apply_chat_template(turns, tokenize=True, return_dict=True)["input_ids"]
    assert row["input_ids"] == expected[:-1]
    table = token_table(words, row)
    assert "".join(table["token"][table["label"] != IGNORE]) == "It is 19.<|im_end|>"


# Rows that do not fit


def test_a_long_prompt_is_cut_at_its_end_and_that_is_counted_and_told():
    task = replace(tiny.PLAIN, max_length=10, max_new_tokens=3)
    with pytest.warns(UserWarning, match=r"1 of 2 prompts were cut, by 5 .* in row 2, as a row may have 10; raise"):
        encoded = encode(task, pairs(("ab", "CD"), ("abcdefghijkl", "CD")))
    assert [text(row) for row in encoded] == ["abCD<|end|>", "abcdefgCD<|end|>"]
    assert encoded["cut"][:] == [0, 5]
    assert counted(encoded[1]) == "CD<|end|>"


def test_a_chat_loses_tokens_of_its_longest_prompt_and_keeps_its_frame():
    whole = encode(tiny.CHAT, chats(CHAT))[0]
    with pytest.warns(UserWarning, match="1 of 1 prompts were cut"):
        length = len(whole["input_ids"]) - 5
        row = encode(replace(tiny.CHAT, max_length=length, max_new_tokens=3), chats(CHAT))[0]
    assert text(row) == text(whole).replace("be brief", "be ")
    assert counted(row) == counted(whole)


def test_a_completion_is_never_cut():
    sentence = r"^completion in row 2 needs 6 tokens .* max_length is 5; train with a larger max_length .* or leave"
    with pytest.raises(InputError, match=sentence):
        encode(replace(tiny.PLAIN, max_length=5, max_new_tokens=3), pairs(("a", "CD"), ("ab", "CDEFG")))


def test_a_prompt_leaves_room_for_its_answer():
    asked = Dataset.from_dict({"prompt": ["abcdefghij"]})
    with pytest.warns(UserWarning):
        row = encode(replace(tiny.PLAIN, max_length=12, max_new_tokens=8), asked)[0]
    assert text(row) == "abcd"


def test_nothing_is_said_where_nothing_is_cut():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        encode(replace(tiny.PLAIN, max_length=5, max_new_tokens=3), pairs(("ab", "CD")))


USER, ANSWER = {"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}
STERN = "{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system turn') }}{% endif %}" + tiny.TEMPLATE


@pytest.mark.parametrize(
    "task, data, sentence",
    [
        (tiny.PLAIN, pairs(("a", "b"), ("a", " ")), "completion in row 2 is empty or no text; fill it or delete"),
        (tiny.PLAIN, pairs(("", "b")), "prompt in row 1 is empty or no text"),
        (
            tiny.PLAIN,
            pairs(("a", "b"), ("c" * 200, "b")),
            "prompt in row 2 needs 200 tokens .* its answer 2, and the model reads 128; sho",
        ),
        (tiny.PLAIN, chats([USER, ANSWER]), "the plain template takes prompt and completion, not messages"),
        (tiny.CHAT, chats([USER, ANSWER], [CHAT[0], CHAT[0], USER, ANSWER]), "row 2 has a system turn after its first"),
        (tiny.CHAT, chats([{"role": "bot", "content": "a"}]), "role 'bot' in row 1 is not one of system, user, assis"),
        (tiny.CHAT, chats([USER, ANSWER], []), "messages in row 2 hold no turn"),
        (tiny.CHAT, chats([USER, ANSWER], [USER]), "the last turn in row 2 is 'user' and must be an assistant's"),
        (tiny.CHAT, chats([ANSWER]), "the last turn in row 1 is 'assistant' and must be an assistant's, after a user"),
        (tiny.CHAT, chats([USER], [USER, ANSWER]), "the last turn in row 2 is 'assistant' and must be a user's"),
    ],
)
def test_bad_rows_are_named(task, data, sentence):
    with pytest.raises(InputError, match=sentence):
        encode(task, data)


def test_templates_that_do_not_fit_are_named():
    with pytest.raises(InputError, match="has no chat template; use template plain"):
        encode(tiny.CHAT, pairs(("a", "b")), template=None)
    with pytest.raises(InputError, match=r"refuses the turns system, user of row 1 \(no system turn\)"):
        encode(replace(tiny.CHAT, system="x"), pairs(("a", "b")), template=STERN)
    with pytest.raises(InputError, match="does not write the turns user once each"):
        encode(tiny.CHAT, pairs(("a", "b")), template="{{ messages[0]['content'] * 2 }}")
    endless = tiny.tokenizer()
    endless.eos_token = None
    with pytest.raises(InputError, match="has no end token"):
        tiny.PLAIN.encode(endless, pairs(("a", "b")))


@pytest.mark.parametrize(
    "settings, sentence",
    [
        ({"template": "alpaca"}, "template 'alpaca' is unknown; choose chat or plain"),
        ({"supervise": "prompt"}, "supervise 'prompt' is unknown; choose completion or all"),
        ({"max_length": 0}, "max_length 0 must be at least 1"),
        ({"template": "plain", "system": "x"}, "plain template has no place for a system turn"),
    ],
)
def test_bad_settings_are_one_sentence(settings, sentence):
    with pytest.raises(InputError, match=sentence):
        Generation(**settings)


def test_a_task_is_what_its_dictionary_says():
    task = Generation(system="x", supervise="all", packed=64)
    assert from_dict(task.to_dict()) == task


# The loss


def batches(task, count=12):
    rows = encode(task, tiny.rows(count)).to_list()
    return rows, task.collate(rows, 0)


@pytest.mark.parametrize("supervise, packed", [*itertools.product(["completion", "all"], [None, 40])])
def test_eq_causal_loss_is_that_of_transformers_with_and_without_packing(supervise, packed):
    task, model = replace(tiny.CHAT, supervise=supervise, packed=packed), tiny.model()
    rows, batch = batches(task)
    loss = task.loss(model, batch) / sum(sum(row["counts"]) for row in rows)
    width = max(len(row["input_ids"]) for row in rows)
    ids, mask, labels = (torch.full((len(rows), width), fill) for fill in (0, 0, IGNORE))
    for i, row in enumerate(rows):
        n = len(row["input_ids"])
        ids[i, :n], mask[i, :n] = torch.tensor(row["input_ids"]), 1
        labels[i, :n] = torch.tensor(row["input_ids"]).where(torch.tensor(row["counts"]) == 1, IGNORE)
    theirs = model(ids, attention_mask=mask, labels=labels).loss
    assert loss.item() == pytest.approx(theirs.item(), abs=1e-6)
    theirs.backward()
    expected = {name: parameter.grad.clone() for name, parameter in model.named_parameters()}
    model.zero_grad()
    loss.backward()
    for name, parameter in model.named_parameters():
        torch.testing.assert_close(parameter.grad, expected[name], rtol=0, atol=1e-6)


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
def test_packed_logits_are_those_of_each_row_alone(attention):
    model, task = tiny.model(attn_implementation=attention), replace(tiny.CHAT, packed=80)
    rows, batch = batches(task)
    assert len(batch["input_ids"]) < len(rows)
    inputs = {name: batch[name] for name in ("input_ids", "position_ids")}
    packed = model(**inputs, use_cache=False).logits.detach()
    starts = batch["position_ids"] == 0
    found = 0
    for row in rows:
        alone = model(torch.tensor([row["input_ids"]])).logits[0].detach()
        for g, at in starts.nonzero().tolist():
            if batch["input_ids"][g, at : at + len(row["input_ids"])].tolist() == row["input_ids"]:
                torch.testing.assert_close(packed[g, at : at + len(alone)], alone, rtol=0, atol=1e-5)
                found += 1
                break
    assert found == len(rows)


def test_the_output_layer_computes_only_what_counts():
    model = tiny.model()
    rows, batch = batches(tiny.CHAT)
    seen = []
    hook = model.lm_head.register_forward_hook(lambda _, given, made: seen.append(tuple(made.shape)))
    token_losses(model, batch)
    hook.remove()
    assert seen == [(sum(sum(row["counts"]) for row in rows), 259)]
    assert model(batch["input_ids"]).logits.shape == (*batch["input_ids"].shape, 259), "the hook must be gone"


def test_a_model_in_the_wrapper_of_data_parallelism_has_the_same_loss():
    class Wrapper(nn.Module):
        def __init__(self, module):
            super().__init__()
            self.module = module

        def forward(self, *given, **named):
            return self.module(*given, **named)

    model, batch = tiny.model(), batches(tiny.CHAT)[1]
    assert torch.equal(token_losses(Wrapper(model), batch), token_losses(model, batch))


def test_another_architecture_has_the_same_loss():
    config = GPT2Config(
        vocab_size=259, n_positions=128, n_embd=16, n_layer=2, n_head=2, attn_pdrop=0.0, resid_pdrop=0.0
    )
    model = GPT2LMHeadModel(config).eval()
    losses = [replace(tiny.CHAT, packed=packed) for packed in (None, 100)]
    losses = [task.loss(model, batches(task)[1]).item() for task in losses]
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)


# Training


def test_fit_takes_the_task_and_learns_rows_by_heart():
    data, words = tiny.rows(12), tiny.tokenizer()
    recipe = tiny.recipe(epochs=60, batch_rows=12)
    run = loop.fit(tiny.PLAIN, tiny.model(), words, data, data, recipe)
    assert run.best["validation_perplexity"] < 1.2
    assert run.best["validation_log_likelihood"] == pytest.approx(-np.log(run.best["validation_perplexity"]))
    rows = tiny.PLAIN.encode(words, data)
    answers = tiny.PLAIN.generate(run.model, words, rows)
    assert answers.texts == data["completion"][:]
    assert answers.finished.all() and answers.tokens.tolist() == [len(text) + 1 for text in data["completion"]]
    assert answers.tokens_per_second == pytest.approx(answers.tokens.sum() / answers.seconds)


def test_a_saved_model_answers_the_same_and_loads_with_plain_transformers(tmp_path):
    words, rows = tiny.tokenizer(), encode(tiny.CHAT, tiny.rows(6))
    run = loop.fit(tiny.CHAT, tiny.model(), words, tiny.rows(), None, tiny.recipe(epochs=1))
    folder = run.save(tmp_path / "model", CARD)
    loaded = saving.load(folder)
    task, model, again = loaded.task, loaded.model, loaded.tokenizer
    assert task == tiny.CHAT
    assert task.generate(model, again, rows).texts == task.generate(run.model, words, rows).texts
    plain = AutoModelForCausalLM.from_pretrained(folder)
    prompt = AutoTokenizer.from_pretrained(folder).apply_chat_template(
        CHAT[:2], add_generation_prompt=True, return_tensors="pt", return_dict=True
    )
    torch.testing.assert_close(plain(**prompt).logits, run.model.cpu()(**prompt).logits)


def test_packing_changes_nothing_but_the_padding():
    losses = []
    for packed in (None, 60):
        task = replace(tiny.PLAIN, packed=packed)
        run = loop.fit(task, tiny.model(), tiny.tokenizer(), tiny.rows(), tiny.rows(6, 1), tiny.recipe())
        losses.append(run.history[["loss", "gradient_norm", "validation_log_likelihood"]].to_numpy(float))
    np.testing.assert_allclose(losses[0], losses[1], atol=2e-4)


def test_training_head_alone_is_refused():
    with pytest.raises(InputError, match="trainable head of the recipe leaves nothing to train"):
        loop.fit(tiny.PLAIN, tiny.model(), tiny.tokenizer(), tiny.rows(), None, tiny.recipe(trainable="head"))


# Likelihoods


def test_predictions_are_log_likelihoods_in_the_order_of_the_rows():
    model, rows = tiny.model(), encode(tiny.CHAT, tiny.rows(20))
    found = tiny.CHAT.predict(model, rows, batch_tokens=100)
    for row, value in zip(rows, found, strict=True):
        ids = torch.tensor([row["input_ids"]])
        each = model(ids).logits[0, :-1].log_softmax(-1).gather(1, ids[0, 1:, None])[:, 0]
        assert value == pytest.approx((each * torch.tensor(row["counts"][1:])).sum().item(), abs=1e-4)


def test_scores_by_hand():
    predictions, references = np.array([-2.0, -9.0]), np.array([2, 3])
    table = evaluation.ladder(tiny.PLAIN, {"one": predictions - 1, "two": predictions}, references)
    assert table["log_likelihood"].tolist() == pytest.approx([-2.6, -2.2])
    assert table.loc["one", "two minus this"].value == pytest.approx(0.4)
    scores = tiny.PLAIN.score(predictions, references)
    assert scores == {"log_likelihood": pytest.approx(-2.2), "perplexity": pytest.approx(np.exp(2.2))}


def test_likelihood_of_a_text_is_that_of_all_its_tokens_but_the_first():
    model, words = tiny.model(), tiny.tokenizer()
    found = likelihood(model, words, ["abcd", "a<|end|>"])
    ids = torch.tensor([words("abcd")["input_ids"]])
    expected = model(ids).logits[0, :-1].log_softmax(-1).gather(1, ids[0, 1:, None]).sum()
    assert found[0].tolist() == pytest.approx([expected.item(), 3], abs=1e-4)
    assert found[1, 1] == 7


def test_predicting_and_answering_leave_the_mode_of_the_model():
    rows = encode(tiny.PLAIN, tiny.rows(3))
    for mode in (True, False):
        model = tiny.model().train(mode)
        tiny.PLAIN.predict(model, rows)
        tiny.PLAIN.generate(model, tiny.tokenizer(), rows)
        assert model.training == mode


# Answers


def greedy(model, ids: list[int], most: int) -> list[int]:
    """Greedy decoding one row and one token at a time."""
    written = []
    while len(written) < most and (not written or written[-1] != 2):
        written.append(int(model(torch.tensor([ids + written])).logits[0, -1].argmax()))
    return written


@pytest.mark.parametrize("task", [tiny.PLAIN, tiny.CHAT])
def test_answers_do_not_depend_on_the_batch(task):
    model, rows, words = tiny.model(3).double(), encode(task, tiny.rows(9)), tiny.tokenizer()
    expected = [greedy(model, row["input_ids"][: row["prompt_tokens"]], 8) for row in rows]
    for batch_rows in (1, 4, 9):
        found = task.generate(model, words, rows, batch_rows=batch_rows)
        assert found.texts == [words.decode(ids, skip_special_tokens=True) for ids in expected]
        assert found.tokens.tolist() == [len(ids) for ids in expected]


def test_an_answer_without_an_end_is_told():
    found = tiny.PLAIN.generate(tiny.model(3), tiny.tokenizer(), encode(tiny.PLAIN, tiny.rows(4)))
    assert (found.finished == (found.tokens < 8)).all() and not found.finished.all()


def test_beam_search_is_that_of_transformers_row_by_row():
    model, words, rows = tiny.model(3).double(), tiny.tokenizer(), encode(tiny.PLAIN, tiny.rows(9))
    expected = []
    for row in rows:
        prompt = torch.tensor([row["input_ids"][: row["prompt_tokens"]]])
        written = model.generate(prompt, attention_mask=prompt * 0 + 1, num_beams=4, max_new_tokens=8, do_sample=False)
        expected.append(words.decode(written[0, prompt.shape[1] :], skip_special_tokens=True))
    assert tiny.PLAIN.generate(model, words, rows, beams=4).texts == expected
    assert tiny.PLAIN.generate(model, words, rows).texts != expected


def test_sampling_follows_its_seed_and_leaves_the_global_one_alone():
    model, words, rows = tiny.model(), tiny.tokenizer(), encode(tiny.PLAIN, tiny.rows(9))
    before = torch.get_rng_state()
    first, again, other = (tiny.PLAIN.generate(model, words, rows, temperature=1.0, seed=s).texts for s in (1, 1, 2))
    assert first == again != other
    assert torch.equal(torch.get_rng_state(), before)
    cold = tiny.PLAIN.generate(model, words, rows, temperature=1e-4).texts
    assert cold == tiny.PLAIN.generate(model, words, rows).texts


def test_the_table_of_tokens_shows_each_with_its_label():
    table = token_table(tiny.tokenizer(), encode(tiny.PLAIN, pairs(("a\n", "B")))[0])
    assert table["token"].tolist() == ["a", "\\n", "B", "<|end|>"]
    assert table["label"].tolist() == [IGNORE, IGNORE, table["id"][2], 2]
    assert table.index.tolist() == [0, 1, 2, 3]


def test_half_a_character_is_one_sentence():
    with pytest.raises(InputError, match="text 2 holds half a character"):
        likelihood(tiny.model(), tiny.tokenizer(), ["whole \U0001f600", "half \ud83d"])
    with pytest.raises(InputError, match=r"the system turn 'Be kind\\udcff' holds half a character"):
        Generation(system="Be kind\udcff")


def test_a_test_row_that_is_too_long_is_named_before_training(tmp_path):
    tiny.model().save_pretrained(tmp_path)
    tiny.tokenizer().save_pretrained(tmp_path)
    test = pairs(("a", "B"), ("c" * 125, "B"))  # 127 tokens of the 128, but an answer may have eight
    corpus = Corpus(DatasetDict(train=tiny.rows(), validation=tiny.rows(6, 1), test=test), CARD)
    told = []
    sentence = (
        r"^prompt in row 2 needs 125 tokens .* max_new_tokens \(--max-new-tokens\) is 8, and the model reads 128; sho"
    )
    with pytest.raises(InputError, match=sentence):
        finetune(tiny.PLAIN, corpus, tiny.recipe(), model=str(tmp_path), note=told.append)
    assert told == []
