"""Pretraining at the smallest scale: what is predicted is the next or the hidden token, and nothing else leaks in."""

import ast
import os
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import tiny
import torch
from transformers import BertConfig, BertForMaskedLM

from helpers.book import pretraining
from helpers.errors import InputError
from helpers.maths import losses

SUBJECTS = ("the cat", "the dog", "a bird", "a horse")
VERBS = ("sleeps", "runs", "eats", "sings", "waits")
TEXTS = [f"{who} {what} in the {where} ." for who in SUBJECTS for what in VERBS for where in ("house", "garden")] * 10


@pytest.fixture(scope="module")
def words():
    return pretraining.learn_vocabulary(TEXTS, 60)


def small(words, seed=0):
    return pretraining.tiny_decoder(words, width=32, layers=1, heads=2, seed=seed)


def test_words_with_the_same_neighbours_have_close_vectors():
    vectors = pretraining.word_vectors(TEXTS, words=30, window=2, width=8)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(np.ones(len(vectors)))
    assert vectors.index[0] == "the"  # the most frequent word comes first
    nearest = pretraining.nearest(vectors, "cat", 1).index[0]
    assert nearest == "dog"  # both follow "the" and precede any verb
    assert set(pretraining.nearest(vectors, "runs", 4).index) == set(VERBS) - {"runs"}


def test_cosines_of_word_vectors_are_the_same_every_time():
    # an axis may point the other way in another run; what words have to do with each other may not change
    first, second = (pretraining.word_vectors(TEXTS, words=30, width=8) for _ in range(2))
    pd.testing.assert_frame_equal(first @ first.T, second @ second.T)


def test_pairs_are_counted_within_the_window_and_no_further():
    counts = pretraining._pair_counts([[0, 1, -1, 2], [3]], 4, window=2).toarray()
    expected = np.zeros((4, 4))
    expected[0, 1] = expected[1, 0] = expected[1, 2] = expected[2, 1] = 1  # 0 and 2 stand three apart
    assert (counts == expected).all()


def test_an_unknown_word_is_named():
    vectors = pretraining.word_vectors(TEXTS, words=30, width=8)
    with pytest.raises(InputError, match="the word 'whale' has no vector; choose one of the"):
        pretraining.nearest(vectors, "whale")


def test_the_vocabulary_has_the_size_asked_for_and_ends_each_text(words):
    assert len(words) == 60
    ids = words("The cat sleeps.")["input_ids"]
    assert ids[-1] == words.eos_token_id
    assert words.decode(ids, skip_special_tokens=True) == "the cat sleeps."
    with pytest.raises(InputError, match="not of 5,000; give more text or ask for fewer tokens"):
        pretraining.learn_vocabulary(TEXTS, 5000)


def test_the_vocabulary_is_the_same_in_every_process_and_with_any_number_of_threads():
    script = "import random\nfrom helpers.book import pretraining\nd = random.Random(0)\n"
    script += "texts = [' '.join(''.join(d.choices('abcdefgh', k=5)) for _ in range(9)) for _ in range(200)]\n"
    script += "print(pretraining.learn_vocabulary(texts, 400).get_vocab())"
    started = [
        subprocess.Popen(
            [sys.executable, "-c", script],
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"RAYON_NUM_THREADS": threads, "TOKENIZERS_PARALLELISM": parallel},
        )
        for threads, parallel in (("1", "false"), ("3", "true"))
    ]
    one, three = (ast.literal_eval(process.communicate()[0]) for process in started)
    assert one == three and len(one) == 400


def test_the_stream_holds_all_tokens_in_their_order(words):
    rows = pretraining.stream(words, TEXTS, length=16)
    whole = [i for text in TEXTS for i in words(text)["input_ids"]]
    assert rows.flatten().tolist() == whole[: rows.numel()]
    assert len(whole) - rows.numel() < 16
    with pytest.raises(InputError, match="fewer than one row of 1000; give more text"):
        pretraining.stream(words, TEXTS[:2], length=1000)


def test_eq_causal_lm_is_the_mean_surprise_of_each_next_token(words):
    model, ids = small(words), pretraining.stream(words, TEXTS, length=5)[:1]
    row = ids.masked_fill(ids == words.eos_token_id, 7)  # no end inside, so every token has a next one
    surprise = []
    for t in range(4):  # one call for each beginning, so that no later token can help
        log_p = model(row[:, : t + 1]).logits[0, -1].log_softmax(-1)
        surprise.append(-log_p[row[0, t + 1]].item())
    assert pretraining.causal_loss(model, row).item() == pytest.approx(np.mean(surprise), abs=1e-5)
    assert pretraining.held_out_loss(model, row) == pytest.approx([np.mean(surprise)], abs=1e-5)


def test_what_follows_the_end_of_a_text_is_not_asked_for(words):
    model, end = small(words), words.eos_token_id
    one, other = torch.tensor([[5, end, 8]]), torch.tensor([[5, end, 9]])
    assert pretraining.causal_loss(model, one) == pretraining.causal_loss(model, other)


def test_eq_masked_lm_is_the_loss_of_transformers_over_the_hidden_tokens_alone():
    settings = BertConfig(
        vocab_size=64, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32
    )
    model = BertForMaskedLM(settings).eval()
    ids = torch.randint(4, 64, (8, 20), generator=torch.Generator().manual_seed(0))
    inputs, labels = pretraining.mask_tokens(ids, mask_id=3, vocabulary=64, special=torch.tensor([0, 1, 2]))
    found = model(input_ids=inputs, labels=labels)
    surprise = [
        -found.logits[row, t].log_softmax(-1)[ids[row, t]].item()
        for row, t in torch.nonzero(labels != losses.IGNORE).tolist()
    ]
    assert 10 < len(surprise) < 50
    assert found.loss.item() == pytest.approx(np.mean(surprise), abs=1e-5)


def test_masking_follows_the_shares_of_bert():
    ids = torch.randint(100, 1000, (200, 200), generator=torch.Generator().manual_seed(0))
    ids[:, 0] = 1
    inputs, labels = pretraining.mask_tokens(ids, mask_id=3, vocabulary=1000, special=torch.tensor([1]))
    chosen = labels != losses.IGNORE
    assert not chosen[:, 0].any()  # special tokens are never asked for
    assert (labels[chosen] == ids[chosen]).all() and (inputs[~chosen] == ids[~chosen]).all()
    assert chosen[:, 1:].float().mean().item() == pytest.approx(0.15, abs=0.01)
    masked, kept = (inputs == 3)[chosen].float().mean(), (inputs == ids)[chosen].float().mean()
    assert masked.item() == pytest.approx(0.8, abs=0.02)
    assert kept.item() == pytest.approx(0.1, abs=0.02)


def test_pretraining_learns_what_comes_next(words):
    model, rows = small(words), pretraining.stream(words, TEXTS, length=16)
    history = pretraining.pretrain(model, rows, rows[:8], steps=40, batch_rows=16, learning_rate=1e-2, evaluations=2)
    assert history["loss"].iloc[0] == pytest.approx(np.log(60), abs=0.3)
    assert history["held_out"].iloc[-1] < 0.5 * np.log(60)
    assert history["held_out"].notna().tolist() == [step in (20, 40) for step in range(1, 41)]
    assert history["tokens"].tolist() == [16 * 16 * step for step in range(1, 41)]


def test_pretraining_is_the_same_every_time(words):
    rows, runs = pretraining.stream(words, TEXTS, length=16), []
    for _ in range(2):
        model = small(words)
        pretraining.pretrain(model, rows, rows[:2], steps=3, batch_rows=8)
        runs.append(tiny.weights(model))
    assert all(torch.equal(runs[0][name], runs[1][name]) for name in runs[0])
    untrained = tiny.weights(small(words))
    assert not all(torch.equal(runs[0][name], untrained[name]) for name in untrained)


def test_a_new_network_depends_on_its_seed_alone(words):
    state = torch.get_rng_state()
    first, again, other = (tiny.weights(small(words, seed)) for seed in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), state)
    name = "model.embed_tokens.weight"
    assert torch.equal(first[name], again[name]) and not torch.equal(first[name], other[name])
