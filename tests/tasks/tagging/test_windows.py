"""Each word of a sentence of any length is read once, at its first token, in the window that sees most around it."""

import random

import numpy as np
import pytest
import tiny
import torch
from datasets import Dataset
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

from helpers import Tagging
from helpers.errors import InputError
from helpers.maths import crf
from helpers.maths.losses import IGNORE
from helpers.tasks.tagging.heads import chain_loss
from helpers.tasks.tagging.windows import windows, words_of

TAGS = ("O", "B-x", "I-x")
ODD = ["Unaffordability", "of", "Kowalczyk's", "\u200b", "e\u0301", "漢字", "", "w", "...", "नमस्ते", "\ufeff", "so-so"]
BYTE_LEVEL = {"roberta": {"trim_offsets": True}, "gpt2": {"trim_offsets": False}, "prefixed": {"trim_offsets": True}}


def byte_level(kind: str) -> PreTrainedTokenizerFast:
    """A tokenizer whose tokens differ with and without a blank before them, trained on a few words."""
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=kind == "prefixed")
    trainer = trainers.BpeTrainer(
        vocab_size=400, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    made.train_from_iterator(["John runs to Oslo and Oslo runs to John"] * 9, trainer)
    made.decoder, made.post_processor = decoders.ByteLevel(), processors.ByteLevel(**BYTE_LEVEL[kind])
    return PreTrainedTokenizerFast(tokenizer_object=made, pad_token="!", model_max_length=32)


def uncased():
    from helpers import models as pretrained

    return pretrained.tokenizer("encoder", scale="laptop")


def sentences(count: int, most: int, seed: int = 0) -> list[list[str]]:
    draw = random.Random(seed)
    return [draw.choices(ODD, k=draw.randrange(1, most)) for _ in range(count)]


@pytest.mark.parametrize("kind", ["uncased", *BYTE_LEVEL])
@pytest.mark.parametrize("limit", [3, 5, 8, 17, 32])
def test_each_word_is_read_once_at_its_first_token_where_most_is_seen_around_it(kind, limit):
    tokenizer = uncased() if kind == "uncased" else byte_level(kind)
    rows = [{"tokens": words} for words in sentences(40, 30)]
    found = list(windows(tokenizer, Dataset.from_list(rows), limit))
    assert all(len(window["input_ids"]) <= limit for window in found)
    special = tokenizer.num_special_tokens_to_add()
    for number, row in enumerate(rows):
        text, spans = words_of(row)
        own = [window for window in found if window["example"] == number]
        assert sum(window["length"] for window in own) == len(row["tokens"])
        encoded = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
        first = [
            next((t for t, (a, b) in enumerate(encoded["offset_mapping"]) if a < end and b > start), None)
            for start, end in spans
        ]
        read = [window["input_ids"][place] for window in own for place in window["first"]]
        if not encoded["input_ids"] or set(first) == {None}:
            assert read == []
            continue
        assert len(read) == len(first)
        expected = [encoded["input_ids"][token] for token in first if token is not None]
        assert [token for token, at in zip(read, first, strict=True) if at is not None] == expected
        if len(encoded["input_ids"]) + special <= limit:
            (window,) = own
            assert window["input_ids"] == tokenizer(text)["input_ids"]
            continue
        stride, room = (limit - special) // 4, limit - special
        begins = range(0, len(encoded["input_ids"]), room - stride)
        kept = iter([(window, place) for window in own for place in window["first"]])
        for (window, place), token in zip(kept, first, strict=True):
            if token is None:
                continue
            length = len(window["input_ids"]) - special
            place -= tokenizer.num_special_tokens_to_add() // 2
            begin = token - place
            assert begin in begins
            seen = min(
                place if begin else 10**6, length - 1 - place if begin + length < len(encoded["input_ids"]) else 10**6
            )
            assert seen >= min(stride // 2, (stride + 1) // 2 - 1)


def test_words_have_the_tokens_of_the_text_that_they_make():
    for kind in BYTE_LEVEL:
        tokenizer = byte_level(kind)
        words = ["John", "runs", "to", "Oslo"]
        (window,) = windows(tokenizer, Dataset.from_list([{"tokens": words}]), 32)
        tokens = tokenizer.convert_ids_to_tokens(window["input_ids"])
        assert (
            tokens[1:] == ["Ġruns", "Ġto", "ĠOslo"] and tokenizer(" ".join(words))["input_ids"] == window["input_ids"]
        )


def test_labels_go_with_their_words_each_once():
    words = sentences(60, 40, seed=1)
    tags = [np.random.default_rng(i).integers(3, size=len(row)).tolist() for i, row in enumerate(words)]
    task = Tagging(TAGS, max_length=12)
    encoded = task.encode(uncased(), Dataset.from_dict({"tokens": words, "tags": tags}))
    assert len(encoded) > 2 * len(words)
    assert [row.tolist() for row in task.references(encoded)] == tags
    owned = [len(row) for row, ids in zip(encoded["first"], encoded["input_ids"], strict=True) if len(ids) > 2]
    assert task.loss_terms(encoded).sum() == sum(owned)
    for row in encoded.to_list():
        begins = row["before"] == IGNORE
        same = [other for other in encoded.to_list() if other["example"] == row["example"]]
        assert begins == (row == same[0]) and row["last"] == (row == same[-1])


@pytest.mark.parametrize("head", ["softmax", "crf"])
def test_a_sentence_in_windows_gets_one_tag_a_word_from_all_its_emissions(head):
    task = Tagging(TAGS, head, constrain=True, max_length=12)
    data = Dataset.from_dict({"tokens": [[tiny.WORDS[i % 60] for i in range(length)] for length in (1, 9, 10, 11, 50)]})
    encoded, model = task.encode(tiny.tokenizer(), data), tagger(task)
    assert len(encoded) > 10
    outputs = [torch.randn(len(row), 3) for row in encoded["first"]]
    found = task.predictions(model, outputs, encoded)
    assert [len(row) for row in found] == [1, 9, 10, 11, 50]
    whole = torch.cat([part for part, example in zip(outputs, encoded["example"], strict=True) if example == 4])
    chain = model.crf.transitions() if head == "crf" else crf.Transitions(*(torch.zeros(s) for s in (3, (3, 3), 3)))
    best, _ = crf.viterbi(whole.unsqueeze(0), crf.forbid(chain, crf.bio_allowed(TAGS)))
    assert found[4].tolist() == best[0].tolist()
    assert [len(row) for row in task.predict(model, encoded)] == [1, 9, 10, 11, 50]


def tagger(task: Tagging):
    from transformers import BertForTokenClassification

    from helpers.tasks.tagging.heads import TransitionScores

    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = BertForTokenClassification(tiny.model(labels=TAGS).config).eval()
        model.crf = TransitionScores(3)
        for score in model.crf.parameters():
            torch.nn.init.normal_(score)
    return model


def test_a_window_is_scored_given_the_tag_before_it():
    torch.manual_seed(0)
    start, between, end = chain = crf.Transitions(torch.randn(3), torch.randn(3, 3), torch.randn(3))
    lengths = [3, 1, 2, 0, 4]
    emissions, labels = torch.randn(5, 4, 3), torch.randint(3, (5, 4))
    mask = torch.tensor([[place < length for place in range(4)] for length in lengths])
    before, last = torch.tensor([IGNORE, 2, 0, IGNORE, IGNORE]), torch.tensor([False, False, True, True, True])
    batch = {"labels": labels, "word_mask": mask.long(), "before": before, "last": last}

    expected = torch.tensor(0.0)
    for row, length in enumerate(lengths):
        if length == 0:
            continue
        tags = crf.all_sequences(length, 3)
        scores = (start if before[row] < 0 else between[before[row]])[tags[:, 0]]
        scores = scores + emissions[row, torch.arange(length), tags].sum(1)
        scores = scores + sum(between[tags[:, t], tags[:, t + 1]] for t in range(length - 1))
        scores = scores + (end[tags[:, -1]] if last[row] else 0)
        expected = expected + scores.logsumexp(0) - scores[(tags == labels[row, :length]).all(1)].squeeze()
    assert torch.isclose(chain_loss(emissions, batch, chain), expected, rtol=1e-5)


@pytest.mark.parametrize("nothing", [["\u200b"], []])
@pytest.mark.parametrize("head", ["softmax", "crf"])
def test_a_sentence_of_which_nothing_is_left_counts_as_if_it_were_not_there(head, nothing):
    task = Tagging(TAGS, head, max_length=32)
    words, tags = [["w1", "w50"], nothing, ["w9"]], [[0, 1], [2] * len(nothing), [1]]
    task_rows = task.encode(tiny_uncased := uncased(), Dataset.from_dict({"tokens": words, "tags": tags}))
    model = wide_tagger(tiny_uncased, task)
    rows = task_rows.to_list()
    assert task.loss_terms(task_rows).tolist()[1] == 0
    with_it, without = (task.loss(model, task.collate(part, 0)) for part in (rows, [rows[0], rows[2]]))
    assert torch.isclose(with_it, without)
    alone = task.loss(model, task.collate([rows[1]], 0))
    alone.backward()
    assert alone.item() == 0
    assert task.predict(model, task_rows)[1].tolist() == [0] * len(nothing)
    assert len(task.references(task_rows)[1]) == len(nothing)


def wide_tagger(tokenizer, task: Tagging):
    from transformers import BertForTokenClassification

    config = tiny.model(labels=TAGS).config
    config.vocab_size = len(tokenizer)
    model = BertForTokenClassification(config).eval()
    model.crf = tagger(task).crf
    return model


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"tokens": ["a", "b"], "tags": [0]}, "row 1 has 2 words and 1 tags"),
        ({"tokens": ["a", "b"], "tags": [0, 3]}, "tag id 3 in row 1 must lie from 0 to 2"),
        ({"tokens": ["a"], "tags": [IGNORE]}, "tag id -100 in row 1"),
        ({"words": ["a"]}, "give it 'tokens', a list of words or a text"),
    ],
)
def test_rows_that_do_not_fit_are_named(row, message):
    with pytest.raises(InputError, match=message):
        Tagging(TAGS).encode(tiny.tokenizer(), Dataset.from_list([row]))


def test_a_text_is_answered_with_the_characters_of_each_span():
    draw = random.Random(3)
    task = Tagging(TAGS)
    for _ in range(300):
        text = draw.choice(["", " "]).join(
            draw.choices([*ODD, "👩\u200d👧", "🇫🇷", "\t", "Paris,"], k=draw.randrange(1, 20))
        )
        row = {draw.choice(("text", "tokens")): text}
        _, spans = words_of(row)
        tags = np.random.default_rng(len(text)).integers(3, size=len(spans))
        answer = task.answer(tags, row)
        assert [text[start:end] for start, end in spans] == answer["tokens"] and len(answer["tags"]) == len(spans)
        for span in answer["spans"]:
            assert answer["text"][span["start"] : span["end"]] == span["text"] != ""
    answer = task.answer(np.array([1, 2, 0]), {"tokens": ["Ann", "Lee", "sings"]})
    assert answer["text"] == "Ann Lee sings"
    assert answer["spans"] == [{"kind": "x", "start": 0, "end": 7, "text": "Ann Lee"}]
