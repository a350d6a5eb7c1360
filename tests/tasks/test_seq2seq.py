"""Encoder-decoders of several families: their rows, loss, likelihoods and written answers."""

import shutil
import warnings
from dataclasses import replace

import huggingface_hub.constants
import numpy as np
import pytest
import tiny_decoder as tiny
import torch
from datasets import Dataset
from tokenizers import processors
from transformers import (
    AutoModelForSeq2SeqLM,
    AutoTokenizer,
    BartConfig,
    BartForConditionalGeneration,
    M2M100Config,
    M2M100ForConditionalGeneration,
    MarianConfig,
    MarianMTModel,
    NllbTokenizer,
    T5Config,
    T5ForConditionalGeneration,
)

from helpers import Recipe, Seq2Seq, models, saving, scales
from helpers.data.corpus import DataCard
from helpers.errors import InputError
from helpers.saving import model_card
from helpers.tasks.base import IGNORE
from helpers.tasks.generation.likelihood import token_table
from helpers.tasks.registry import from_dict
from helpers.tasks.seq2seq import token_losses
from helpers.tasks.writing import WrittenTexts
from helpers.training import loop

CARD = DataCard("x", "y", "z", "row", "none", rows={}, labels={}, words={})
TASK = Seq2Seq(max_new_tokens=8)
END = 2
FAMILIES = ("bart", "marian", "nllb", "t5")
T5 = {"d_model": 32, "d_kv": 16, "d_ff": 64, "num_layers": 2, "num_heads": 2, "dropout_rate": 0.0}
T5 |= {"initializer_factor": 3.0}
BART = {"d_model": 32, "encoder_layers": 2, "decoder_layers": 2, "encoder_attention_heads": 2, "dropout": 0.0}
BART |= {"decoder_attention_heads": 2, "encoder_ffn_dim": 64, "decoder_ffn_dim": 64, "max_position_embeddings": 64}


def model(family: str, seed: int = 0, **config):
    """Two layers of width 32 on each side, drawn under `seed` with large weights, so that rows differ."""
    special = {"vocab_size": 259, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": END}
    begin = {"decoder_start_token_id": 0 if family in ("t5", "marian") else END}
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        if family == "t5":
            return T5ForConditionalGeneration(T5Config(**special | begin | T5 | config)).eval()
        settings = special | begin | BART | {"init_std": 0.3, "forced_eos_token_id": None} | config
        if family == "bart":
            return BartForConditionalGeneration(BartConfig(**settings)).eval()
        if family == "marian":
            return MarianMTModel(MarianConfig(**settings | {"decoder_vocab_size": 259})).eval()
        return M2M100ForConditionalGeneration(M2M100Config(**settings)).eval()


def small(family: str):
    """A model with weights of the usual size, which learns in few steps."""
    return model(family, **{"initializer_factor": 1.0} if family == "t5" else {"init_std": 0.02})


def tokenizer(frame: str = "$A <|end|>", window: int = 64):
    """One token a byte, with what a family puts around a text: Marian's and T5's is the default."""
    words = tiny.tokenizer(window=window)
    words.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single=frame, special_tokens=[(tiny.START, 1), (tiny.END, END)]
    )
    return words


def nllb(source: str = "eng_Latn", target: str = "fra_Latn") -> NllbTokenizer:
    """Letters and two languages, each named before a text of it."""
    letters = ["<s>", "<pad>", "</s>", "<unk>", "\u2581", *"abcdABCD"]
    codes = ["eng_Latn", "fra_Latn"]
    vocabulary = {token: i for i, token in enumerate([*letters, *codes])}
    return NllbTokenizer(
        vocab=vocabulary, merges=[], src_lang=source, tgt_lang=target, extra_special_tokens=codes, model_max_length=64
    )


def pairs(*rows):
    return Dataset.from_list([{"prompt": prompt, "completion": completion} for prompt, completion in rows])


def encode(data, task=TASK, **words):
    return task.encode(tokenizer(**words), data)


def sides(row: dict) -> tuple[list[int], list[int]]:
    return row["input_ids"][: row["prompt_tokens"]], row["input_ids"][row["prompt_tokens"] :]


def texts(row: dict, words=None) -> tuple[str, str]:
    return tuple((words or tokenizer()).decode(ids) for ids in sides(row))


# What a row becomes


def test_a_row_is_its_prompt_and_its_completion_each_with_its_end():
    row = encode(pairs(("ab", "CDE")))[0]
    assert texts(row) == ("ab<|end|>", "CDE<|end|>")
    assert (row["counts"], row["prompt_tokens"], row["cut"]) == ([0, 0, 0, 1, 1, 1, 1], 3, 0)
    table = token_table(tokenizer(), row)
    assert "".join(table["token"][table["label"] != IGNORE]) == "CDE<|end|>"


@pytest.mark.parametrize(
    "frame, prompt, completion",
    [
        ("$A <|end|>", "ab<|end|>", "C<|end|>"),
        ("<|start|> $A <|end|>", "<|start|>ab<|end|>", "<|start|>C<|end|>"),
        ("$A", "ab", "C<|end|>"),
    ],
)
def test_the_end_always_counts_whatever_the_tokenizer_adds(frame, prompt, completion):
    row = encode(pairs(("ab", "C")), frame=frame)[0]
    assert texts(row) == (prompt, completion)
    assert row["input_ids"][-1] == END and row["counts"][-1] == 1


def test_each_side_of_nllb_begins_with_its_language():
    words = nllb()
    row = TASK.encode(words, pairs(("ab", "C")))[0]
    assert words.convert_ids_to_tokens(row["input_ids"]) == [
        *("eng_Latn", "\u2581", "a", "b", "</s>"),
        *("fra_Latn", "\u2581", "C", "</s>"),
    ]
    assert words("a")["input_ids"][0] == words.convert_tokens_to_ids("eng_Latn"), "the tokenizer must be as before"


def test_a_text_that_spells_a_special_token_stays_text():
    row = encode(pairs(("x<|end|>y", "<|end|>")))[0]
    assert row["input_ids"].count(END) == 2
    assert texts(row) == ("x<|end|>y<|end|>", "<|end|><|end|>")


def test_the_prompt_is_the_same_in_training_and_when_it_is_answered():
    data = pairs(("ab ", "CD"), ("a", "B"))
    for learnt, asked in zip(encode(data), encode(data.remove_columns("completion")), strict=True):
        assert asked["input_ids"] == sides(learnt)[0]
        assert (asked["prompt_tokens"], sum(asked["counts"])) == (learnt["prompt_tokens"], 0)


def test_a_cut_prompt_keeps_its_frame_and_is_counted():
    task, frame = replace(TASK, max_length=6), "<|start|> $A <|end|>"
    with pytest.warns(
        UserWarning, match=r"1 of 2 prompts were cut, by 3 tokens in all, .* row 2, as a row may have 6;"
    ):
        rows = encode(pairs(("abcd", "EFGHIJKL"), ("abcdefg", "EFGHIJKL")), task, frame=frame)
    assert [texts(row)[0] for row in rows] == ["<|start|>abcd<|end|>"] * 2
    assert [texts(row)[1] for row in rows] == ["<|start|>EFGHIJKL<|end|>"] * 2
    assert rows["cut"][:] == [0, 3]


def test_the_window_bounds_max_length():
    with pytest.warns(UserWarning, match="1 of 1 prompts were cut"):
        assert texts(encode(pairs(("abcdefgh", "C")), replace(TASK, max_length=50), window=5)[0])[0] == "abcd<|end|>"


def test_what_just_fits_is_whole_and_nothing_is_said():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        rows = encode(pairs(("abcd", "CDEF")), window=5)
    assert texts(rows[0]) == ("abcd<|end|>", "CDEF<|end|>")


LONG = "c" * 70


@pytest.mark.parametrize(
    "data, sentence",
    [
        (pairs(("a", "b"), (" ", "b")), "^prompt in row 2 is empty or no text; fill it or delete the row$"),
        (pairs(("a", ""), ("a", "b")), "^completion in row 1 is empty or no text; fill it or delete the row$"),
        (pairs(("a", "b"), ("a", None)), "^completion in row 2 is empty or no text"),
        (pairs(("a", "b"), (LONG, "b")), "^prompt in row 2 needs 71 tokens and the model reads 64; shorten it, or t"),
        (pairs(("a", "b"), ("a", LONG)), "^completion in row 2 needs 71 tokens and the model writes 64 at most; short"),
        (Dataset.from_list([{"text": "a", "label": "b"}]), "^the rows have no column prompt, only text, label; rename"),
        (
            Dataset.from_list([{"prompt": "a", "completion": LONG, "row": 9}]),
            "^completion in row 9 needs 71 tokens",
        ),
        (Dataset.from_list([{"prompt": "", "row": 7}]), "^prompt in row 7 is empty"),
        (Dataset.from_list([{"prompt": LONG, "row": 5}]), "^prompt in row 5 needs 71 tokens"),
    ],
)
def test_bad_rows_are_named(data, sentence):
    with pytest.raises(InputError, match=sentence):
        encode(data)


def test_bad_settings_are_one_sentence():
    for field in ("max_length", "max_new_tokens"):
        with pytest.raises(InputError, match=f"^{field} 0 must be at least 1$"):
            Seq2Seq(**{field: 0})
    with pytest.raises(InputError, match=r"^max_length 2 leaves no room beside the prompt's special tokens; raise"):
        encode(pairs(("a", "b")), replace(TASK, max_length=2), frame="<|start|> $A <|end|>")


def test_tokenizers_with_which_a_model_could_not_learn_to_stop_are_named():
    with pytest.raises(InputError, match=r"writes '<\|start\|>' after the end of a completion, .* NLLB and mBART-50$"):
        encode(pairs(("a", "b")), frame="$A <|end|> <|start|>")
    endless = tokenizer("$A")
    endless.eos_token = None
    with pytest.raises(InputError, match="has no end token, so a model could not learn to stop; give it one"):
        TASK.encode(endless, pairs(("a", "b")))


def test_a_task_is_what_its_dictionary_says():
    task = Seq2Seq(max_length=9, max_new_tokens=3)
    assert from_dict(task.to_dict()) == task


# The loss


def test_a_batch_is_padded_on_the_right_of_both_sides():
    batch = TASK.collate(encode(pairs(("abc", "D"), ("a", "BCD"))).to_list(), 0)
    rows = encode(pairs(("abc", "D"), ("a", "BCD")))
    (long, short), (brief, wordy) = sides(rows[0]), sides(rows[1])
    assert batch["input_ids"].tolist() == [long, [*brief, 0, 0]]
    assert batch["attention_mask"].tolist() == [[1, 1, 1, 1], [1, 1, 0, 0]]
    assert batch["labels"].tolist() == [[*short, IGNORE, IGNORE], wordy]


@pytest.mark.parametrize("family", FAMILIES)
def test_the_loss_is_that_of_transformers_times_the_tokens_that_count(family):
    rows, network = encode(tiny.rows(12)), model(family)
    batch, terms = TASK.collate(rows.to_list(), 0), TASK.loss_terms(rows).sum()
    loss = TASK.loss(network, batch)
    theirs = network(**batch).loss
    assert terms == (batch["labels"] != IGNORE).sum()
    assert loss.item() == pytest.approx(theirs.item() * terms, rel=1e-5)
    theirs.backward()
    expected = {name: p.grad.clone() for name, p in network.named_parameters() if p.grad is not None}
    network.zero_grad()
    (loss / terms).backward()
    for name, gradient in expected.items():
        torch.testing.assert_close(network.get_parameter(name).grad, gradient, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("family", FAMILIES)
def test_likelihoods_are_those_of_each_row_alone_without_padding(family):
    rows, network = encode(tiny.rows(9)), model(family).double()
    found = TASK.predict(network, rows, batch_tokens=60)
    assert found.dtype == np.float64 and found.shape == (9,)
    for row, value in zip(rows, found, strict=True):
        prompt, completion = sides(row)
        given = torch.tensor([[network.config.decoder_start_token_id, *completion[:-1]]])
        each = network(torch.tensor([prompt]), decoder_input_ids=given).logits[0].log_softmax(-1)
        expected = each.gather(1, torch.tensor(completion)[:, None]).sum()
        assert value == pytest.approx(expected.item(), abs=1e-4)


def test_losses_stand_where_the_completions_do():
    rows, network = encode(tiny.rows(6)), model("bart")
    batch = TASK.collate(rows.to_list(), 0)
    losses = token_losses(network, batch)
    assert losses.shape == batch["labels"].shape
    assert torch.equal(losses > 0, batch["labels"] != IGNORE)


def test_rows_without_completions_have_no_likelihood():
    asked = encode(tiny.rows(3).remove_columns("completion"))
    with pytest.raises(InputError, match=r"^the rows hold no completions, which likelihoods are of; add them, or"):
        TASK.predict(model("bart"), asked)


def test_scores_by_hand():
    predictions, references = np.array([-2.0, -9.0]), TASK.references(encode(pairs(("a", "B"), ("a", "BC"))))
    assert references.tolist() == [2, 3]
    scores = TASK.score(predictions, references)
    assert scores == {"log_likelihood": pytest.approx(-2.2), "perplexity": pytest.approx(np.exp(2.2))}
    assert TASK.from_counts(TASK.per_row(predictions, references).mean(0)) == pytest.approx(-2.2)


# Training


@pytest.mark.parametrize("family, epochs", [("bart", 80), ("t5", 120)])
def test_fit_takes_the_task_and_learns_rows_by_heart(family, epochs):
    data, words = tiny.rows(8), tokenizer()
    recipe = tiny.recipe(epochs=epochs)
    run = loop.fit(TASK, small(family), words, data, data, recipe)
    assert run.history["loss"].iloc[-1] < run.history["loss"].iloc[0] / 10
    assert run.best["validation_perplexity"] == pytest.approx(np.exp(-run.best["validation_log_likelihood"]))
    answers = TASK.generate(run.model, words, TASK.encode(words, data))
    assert answers.texts == data["completion"][:]
    assert answers.finished.all() and answers.tokens.tolist() == [len(text) + 1 for text in data["completion"]]


def test_a_step_is_the_same_however_it_is_cut():
    runs = [
        loop.fit(TASK, small("t5"), tokenizer(), tiny.rows(8), None, tiny.recipe(piece_tokens=cut))
        for cut in (10**9, 40)
    ]
    losses = [run.history[["loss", "gradient_norm"]].to_numpy() for run in runs]
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-4)


def test_fit_counts_the_tokens_of_both_sides():
    data = pairs(*[("a", "B" * 30)] * 8)  # 33 tokens a row
    run = loop.fit(TASK, model("t5"), tokenizer(), data, None, tiny.recipe(epochs=1, batch_rows=2))
    assert run.history["rows"].tolist() == [2] * 4
    assert run.history["tokens"].tolist() == [66] * 4


def test_a_saved_model_answers_the_same_and_loads_with_plain_transformers(tmp_path):
    words, rows = tokenizer(), encode(tiny.rows(6))
    run = loop.fit(TASK, model("marian"), words, tiny.rows(8), None, tiny.recipe(epochs=1))
    folder = run.save(tmp_path / "model", CARD)
    loaded = saving.load(folder)
    task, network, again = loaded.task, loaded.model, loaded.tokenizer
    assert task == TASK
    assert task.generate(network, again, rows).texts == TASK.generate(run.model, words, rows).texts
    plain = AutoModelForSeq2SeqLM.from_pretrained(folder)
    batch = dict(AutoTokenizer.from_pretrained(folder)(["ab"], text_target=["CD"], return_tensors="pt"))
    torch.testing.assert_close(plain(**batch).logits, run.model.cpu()(**batch).logits)


@pytest.mark.parametrize("family", FAMILIES)
def test_whatever_trains_in_a_built_model_gets_a_gradient(family, tmp_path):
    # Several processes wait for one of each parameter; Marian's positions, which are fixed, never get any.
    given = model(family)
    given.save_pretrained(tmp_path)
    built = TASK.build(tmp_path)
    assert built.state_dict().keys() == given.state_dict().keys()
    batch = TASK.collate(encode(tiny.rows(3)).to_list(), 0)
    loss = TASK.loss(built, batch)
    assert loss.item() == pytest.approx(TASK.loss(given, batch).item())
    loss.backward()
    assert [name for name, parameter in built.named_parameters() if parameter.grad is None] == []


def test_predicting_and_answering_leave_the_mode_of_the_model():
    rows = encode(tiny.rows(3))
    for mode in (True, False):
        network = model("bart").train(mode)
        TASK.predict(network, rows)
        TASK.generate(network, tokenizer(), rows)
        assert network.training == mode


# Answers


def greedy(network, prompt: list[int], begin: list[int], most: int, pad: int = 0) -> list[int]:
    """Greedy decoding one row and one token at a time, without a cache."""
    written = []
    while len(written) < most and (not written or written[-1] != END):
        logits = network(torch.tensor([prompt]), decoder_input_ids=torch.tensor([begin + written])).logits[0, -1]
        logits[pad] = -torch.inf
        written.append(int(logits.argmax()))
    return written


@pytest.mark.parametrize("family", FAMILIES)
def test_answers_do_not_depend_on_the_batch(family):
    network, rows, words = model(family, 3).double(), encode(tiny.rows(9)), tokenizer()
    begin = [network.config.decoder_start_token_id]
    expected = [greedy(network, sides(row)[0], begin, 8) for row in rows]
    assert len({tuple(ids) for ids in expected}) > 3, "answers that do not depend on the prompt test nothing"
    for batch_rows in (1, 4, 9):
        found = TASK.generate(network, words, rows, batch_rows=batch_rows)
        assert found.texts == [words.decode(ids, skip_special_tokens=True) for ids in expected]
        assert found.tokens.tolist() == [len(ids) for ids in expected]
        assert found.finished.tolist() == [ids[-1] == END for ids in expected]
    assert found.tokens_per_second == pytest.approx(found.tokens.sum() / found.seconds)


def test_an_answer_begins_where_the_tokenizer_begins_a_completion():
    words = nllb()
    network, rows = model("nllb", 3, vocab_size=len(words), pad_token_id=1).double(), TASK.encode(words, tiny.rows(9))
    begin = [END, words.convert_tokens_to_ids("fra_Latn")]
    expected = [greedy(network, sides(row)[0], begin, 8, pad=1) for row in rows]
    found = TASK.generate(network, words, rows)
    assert found.texts == [words.decode(ids, skip_special_tokens=True) for ids in expected]
    assert found.tokens.tolist() == [len(ids) for ids in expected]
    other = TASK.generate(network, nllb(target="eng_Latn"), rows)
    assert other.texts != found.texts


def test_beam_search_is_that_of_transformers_row_by_row():
    network, words, rows = model("bart", 3).double(), tokenizer(), encode(tiny.rows(9))
    expected = []
    for row in rows:
        prompt = torch.tensor([sides(row)[0]])
        written = network.generate(prompt, num_beams=4, max_new_tokens=8, do_sample=False, suppress_tokens=[0])
        expected.append(words.decode(written[0, 1:], skip_special_tokens=True))
    assert TASK.generate(network, words, rows, beams=4).texts == expected
    assert TASK.generate(network, words, rows).texts != expected


def test_completions_are_not_shown_to_the_model():
    network, words, data = model("bart", 3), tokenizer(), tiny.rows(6)
    asked = TASK.generate(network, words, encode(data.remove_columns("completion")))
    assert TASK.generate(network, words, encode(data)).texts == asked.texts


def test_settings_that_a_model_brings_change_no_answer_and_are_kept():
    network, words, rows = model("bart", 3), tokenizer(), encode(tiny.rows(9))
    expected = TASK.generate(network, words, rows)
    brought = {"forced_eos_token_id": END, "no_repeat_ngram_size": 1, "min_length": 7, "bad_words_ids": [[END]]}
    network.generation_config.update(**brought)
    own = network.generation_config
    found = TASK.generate(network, words, rows)
    assert found.texts == expected.texts and found.finished.tolist() == expected.finished.tolist()
    assert not found.finished.all()
    assert network.generation_config is own and own.no_repeat_ngram_size == 1


def test_padding_is_never_written():
    network, words, rows = model("bart", 3), tokenizer(), encode(tiny.rows(4))
    expected = TASK.generate(network, words, rows)
    network.final_logits_bias[0, 0] = 1e3
    found = TASK.generate(network, words, rows)
    assert found.texts == expected.texts and found.tokens.tolist() == expected.tokens.tolist()


def test_an_answer_ends_where_the_window_does():
    network = model("marian", 3, max_position_embeddings=16)
    words, rows = tokenizer(window=16), encode(tiny.rows(4))
    found = Seq2Seq(max_new_tokens=64).generate(network, words, rows)
    assert found.tokens.max() == 16


# The role


def test_the_translator_is_there_at_scale_gpu_alone(monkeypatch, tmp_path):
    name = scales.model("translator", "gpu")
    assert name == "google-t5/t5-base"
    sentence = r"^no package holds a model for the role 'translator', so .* set SFT_SCALE=gpu, or pass a folder or a"
    for ask in (scales.model, TASK.build, models.tokenizer):
        with scales.chosen("laptop"), pytest.raises(InputError, match=sentence):
            ask("translator")
    given = model("marian")
    given.save_pretrained(tmp_path / "model")
    tokenizer().save_pretrained(tmp_path / "model")
    hub_cache(monkeypatch, tmp_path, name)
    assert len(models.tokenizer("translator", scale="gpu")) == len(tokenizer())
    with scales.chosen("gpu"):
        built, drawn = TASK.build(), TASK.build(pretrained=False, seed=1)
    assert torch.equal(built.lm_head.weight, given.lm_head.weight)
    assert not torch.equal(drawn.lm_head.weight, given.lm_head.weight)


def hub_cache(monkeypatch, tmp_path, name: str) -> None:
    """Put tmp_path / model where the Hub's client keeps downloads of `name`."""
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    kept = tmp_path / "hub" / f"models--{name.replace('/', '--')}"
    (kept / "refs").mkdir(parents=True)
    (kept / "refs" / "main").write_text("0" * 40, encoding="utf-8")
    shutil.copytree(tmp_path / "model", kept / "snapshots" / ("0" * 40))


# What the rest of the package makes of it


def test_the_card_of_a_saved_model_says_how_to_load_it(tmp_path):
    data = Dataset.from_list([{"prompt": "ab", "completion": "cd"}])
    run = loop.fit(TASK, model("bart"), tokenizer(), data, recipe=Recipe(epochs=1))
    folder = run.save(tmp_path / "model", CARD)
    told = model_card.write(folder).read_text(encoding="utf-8")
    assert "text2text-generation" in told and "AutoModelForSeq2SeqLM" in told
    assert f"It writes at most {TASK.max_new_tokens} tokens" in told


@pytest.mark.parametrize("setting", [{"dropout": 0.0}, {"attention_dropout": 0.1}, {"trainable": 1}])
def test_settings_that_would_miss_a_stack_are_named(setting):
    data = Dataset.from_list([{"prompt": "ab", "completion": "cd"}])
    with pytest.raises(InputError, match=f"^{next(iter(setting))} of the recipe does not reach both stacks"):
        loop.fit(TASK, model("bart"), tokenizer(), data, recipe=Recipe(**setting))


@pytest.mark.filterwarnings("ignore:.*prompts were cut")
@pytest.mark.parametrize("length", [None, 3, 7, 12, 64, 200])
def test_an_answer_depends_on_its_prompt_alone(length):
    network, words, task = model("bart", 3).double(), tokenizer(), replace(TASK, max_length=length)
    prompts = tiny.rows(9)["prompt"][:]
    alone = [
        task.generate(network, words, encode(Dataset.from_dict({"prompt": [each]}), task)).texts[0] for each in prompts
    ]
    assert len(set(alone)) > 2
    scored = WrittenTexts(task, words)
    for completion in ("Z", "YZ" * 3, "XYZ" * 20):
        rows = Dataset.from_dict({"prompt": prompts, "completion": [completion] * 9})
        assert scored.predict(network, scored.encode(words, rows)) == alone
        assert task.generate(network, words, encode(rows, task), batch_rows=4).texts == alone
