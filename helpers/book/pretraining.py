"""Pretraining at the smallest scale, to be watched: word vectors by counting, and a tiny causal language model.

Nothing here needs a label. What the model must predict is taken from the text itself, which is why it is called
self-supervised.
"""

import time
from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch
from scipy.sparse import coo_matrix
from scipy.sparse.linalg import svds
from tokenizers import Tokenizer, decoders, normalizers, pre_tokenizers, processors, trainers
from tokenizers import models as tokenizer_models
from torch import Tensor
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedModel, PreTrainedTokenizerFast

from helpers.errors import InputError
from helpers.maths import losses
from helpers.training.recipe import Recipe

PAD, UNKNOWN, END = "[PAD]", "[UNK]", "[END]"


def word_vectors(texts: Sequence[str], *, words: int = 4000, window: int = 4, width: int = 100) -> pd.DataFrame:
    """A vector for each of the most frequent words, from counts of the words that stand near it.

    Counts of pairs at most `window` words apart become positive pointwise mutual information (how much more often
    than by chance a pair meets), whose `width` strongest directions are kept (Levy and Goldberg 2014: word2vec
    factorises nearly the same matrix).

    Returns one row per word, the most frequent first, each of length one: (words, width).
    """
    split = [_words(text) for text in texts]
    frequencies = pd.Series([word for text in split for word in text]).value_counts(sort=True)
    frequencies = frequencies.sort_index().sort_values(ascending=False, kind="stable").head(words)
    index = {word: i for i, word in enumerate(frequencies.index)}
    counts = _pair_counts([[index.get(word, -1) for word in text] for text in split], len(index), window)
    information = _positive_information(counts)
    start = np.ones(len(index))  # svds would draw it at random
    left, strength, _ = svds(information, k=min(width, len(index) - 1), v0=start)
    vectors = left * np.sqrt(strength)  # (words, width)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return pd.DataFrame(vectors / np.maximum(lengths, 1e-12), index=frequencies.index)


def nearest(vectors: pd.DataFrame, word: str, k: int = 6) -> pd.Series:
    """The `k` words with the largest cosine to `word`, best first, without the word itself.

    Raises InputError if the word has no vector.
    """
    if word not in vectors.index:
        raise InputError(f"the word '{word}' has no vector; choose one of the {len(vectors):,} words in the index")
    return (vectors @ vectors.loc[word]).drop(word).nlargest(k)


def learn_vocabulary(texts: Sequence[str], size: int = 4000) -> PreTrainedTokenizerFast:
    """A tokenizer that cuts lower-cased text into the words and pieces that these texts repeat most.

    A piece that continues a word begins with `##`, as in BERT; `[END]` ends each text. Raises InputError if the texts
    hold too little to fill a vocabulary of `size` tokens.
    """
    special = [PAD, UNKNOWN, END]
    # The trainer numbers the letters in an order that differs from process to process, and breaks ties by number. So a
    # first pass finds the letters, and a second one gets them in order.
    letters = sorted(set(_vocabulary(texts, 0, special)) - set(special))
    vocabulary = _vocabulary(texts, size, special + letters)
    if len(vocabulary) < size:
        raise InputError(
            f"these texts give a vocabulary of {len(vocabulary):,} tokens, not of {size:,}; "
            "give more text or ask for fewer tokens"
        )
    tokenizer = _word_pieces(vocabulary)
    tokenizer.add_special_tokens(special)
    tokenizer.decoder = decoders.WordPiece()
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"$A {END}", special_tokens=[(END, tokenizer.token_to_id(END))]
    )
    names = {"pad_token": PAD, "unk_token": UNKNOWN, "eos_token": END}
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_max_length=512, **names)


def _vocabulary(texts: Sequence[str], size: int, first: list[str]) -> dict[str, int]:
    """The number of each token that a trainer finds, after those that come first."""
    tokenizer = _word_pieces()
    trainer = trainers.WordPieceTrainer(vocab_size=size, special_tokens=first, show_progress=False)
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer.get_vocab()


def _word_pieces(vocabulary: dict[str, int] | None = None) -> Tokenizer:
    tokenizer = Tokenizer(tokenizer_models.WordPiece(vocabulary, unk_token=UNKNOWN))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    return tokenizer


def tiny_decoder(
    tokenizer: PreTrainedTokenizerFast, *, width: int = 128, layers: int = 2, heads: int = 4, seed: int = 0
) -> LlamaForCausalLM:
    """An untrained network of the packaged decoder's kind, about 200 times smaller, drawn under `seed`.

    The table of token vectors serves as output layer as well.
    """
    settings = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=width,
        intermediate_size=4 * width,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        max_position_embeddings=tokenizer.model_max_length,
        tie_word_embeddings=True,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
    )
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        return LlamaForCausalLM(settings)


def stream(tokenizer: PreTrainedTokenizerFast, texts: Sequence[str], length: int = 64) -> Tensor:
    """The token ids of all texts, one after the other, cut into rows: (rows, length). The last, short row is left out.

    Raises InputError if the texts do not fill one row.
    """
    # the backend itself, since a whole document is longer than what the model reads at once
    ids = [i for row in tokenizer.backend_tokenizer.encode_batch(list(texts)) for i in row.ids]
    if len(ids) < length:
        raise InputError(f"the texts hold {len(ids)} tokens, fewer than one row of {length}; give more text")
    return torch.tensor(ids[: len(ids) // length * length]).view(-1, length)


def causal_loss(model: PreTrainedModel, ids: Tensor) -> Tensor:
    """Mean of -log p(token | tokens before it in its row) in nats, for ids (B, T); `eq-causal-lm`."""
    logits = model(ids).logits[:, :-1]  # (B, T-1, V); the last token has nothing to predict
    targets = _targets(model, ids)  # (B, T-1)
    return torch.nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten(), ignore_index=losses.IGNORE)


@torch.inference_mode()
def held_out_loss(model: PreTrainedModel, ids: Tensor, batch_rows: int = 32) -> np.ndarray:
    """`causal_loss` of each row of ids (N, T), shape (N,), in evaluation mode."""
    model.eval()
    parts = []
    for rows in ids.split(batch_rows):
        parts.append(torch.stack([causal_loss(model, row[None]) for row in rows]))
    return torch.cat(parts).double().numpy()


def pretrain(
    model: PreTrainedModel,
    ids: Tensor,
    held_out: Tensor,
    *,
    steps: int,
    batch_rows: int = 32,
    learning_rate: float = 3e-3,
    evaluations: int = 8,
    seed: int = 0,
) -> pd.DataFrame:
    """Train a causal language model in place on rows of token ids (N, T).

    The learning rate rises over the first tenth of the steps and then falls to zero along a cosine.

    Returns one row per step: step (from 1), tokens seen, loss in nats per token, held_out (NaN between evaluations),
    seconds since the start.
    """
    optimizer = torch.optim.AdamW(model.parameters(), lr=learning_rate, betas=(0.9, 0.95), weight_decay=0.1)
    shape = Recipe(learning_rate=learning_rate, schedule="cosine", warmup=0.1)
    random, epochs = np.random.default_rng(seed), -(-steps * batch_rows // len(ids))
    order = np.concatenate([random.permutation(len(ids)) for _ in range(epochs)])
    due = {round(steps * part / evaluations) for part in range(1, evaluations + 1)}
    history, began = [], time.perf_counter()
    for step in range(1, steps + 1):
        model.train()
        rows = ids[order[(step - 1) * batch_rows : step * batch_rows]]  # (B, T)
        optimizer.param_groups[0]["lr"] = learning_rate * shape.learning_rate_at(step - 1, steps)
        loss = causal_loss(model, rows)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        row = {"step": step, "tokens": step * rows.numel(), "loss": loss.item()}
        row["held_out"] = held_out_loss(model, held_out).mean() if step in due else np.nan
        history.append(row | {"seconds": time.perf_counter() - began})
    return pd.DataFrame(history)


def mask_tokens(
    ids: Tensor, *, mask_id: int, vocabulary: int, special: Tensor, share: float = 0.15, seed: int = 0
) -> tuple[Tensor, Tensor]:
    """Hide tokens as BERT's pretraining does (Devlin et al. 2019): the inputs and the labels, both (B, T).

    A `share` of the tokens is chosen. Of these 80 % become `mask_id`, 10 % another token, 10 % stay as they are.
    Labels are the true ids where a token was chosen and `losses.IGNORE` elsewhere.

    Args:
        special: ids of tokens that are never chosen, such as [CLS] and padding.
    """
    random = torch.Generator().manual_seed(seed)
    chosen = (torch.rand(ids.shape, generator=random) < share) & ~torch.isin(ids, special)
    way = torch.rand(ids.shape, generator=random)
    other = torch.randint(vocabulary, ids.shape, generator=random)
    inputs = ids.where(~(chosen & (way < 0.8)), torch.tensor(mask_id))
    inputs = inputs.where(~(chosen & (way >= 0.9)), other)
    return inputs, ids.where(chosen, torch.tensor(losses.IGNORE))


def _targets(model: PreTrainedModel, ids: Tensor) -> Tensor:
    """The next token of each position but the last, (B, T-1); IGNORE after an end token, where the next text begins."""
    return ids[:, 1:].where(ids[:, :-1] != model.config.eos_token_id, torch.tensor(losses.IGNORE))


def _words(text: str) -> list[str]:
    return "".join(c if c.isalnum() or c == "'" else " " for c in text.lower()).split()


def _pair_counts(rows: list[list[int]], size: int, window: int) -> coo_matrix:
    """How often two words stand at most `window` apart, (size, size), symmetric; -1 marks words that are left out."""
    left, right = [], []
    for row in rows:
        ids = np.array(row, dtype=np.int64)
        for distance in range(1, min(window, len(ids) - 1) + 1):
            first, second = ids[:-distance], ids[distance:]
            known = (first >= 0) & (second >= 0)
            left.append(first[known])
            right.append(second[known])
    pairs = np.concatenate(left), np.concatenate(right)
    ones = np.ones(len(pairs[0]))
    counts = coo_matrix((ones, pairs), shape=(size, size)).tocsr()
    return (counts + counts.T).tocoo()


def _positive_information(counts: coo_matrix):
    """max(0, log p(a, b) / (p(a) p(b))) of a symmetric matrix of counts, sparse."""
    total, single = counts.sum(), np.asarray(counts.sum(1)).ravel()
    with np.errstate(divide="ignore"):
        value = np.log(counts.data * total / (single[counts.row] * single[counts.col]))
    return coo_matrix((np.maximum(value, 0), (counts.row, counts.col)), shape=counts.shape).tocsr()
