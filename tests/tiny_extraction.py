"""A span finder small enough to train in a second, with the packaged tokenizer and rows to learn by heart."""

from types import SimpleNamespace

import torch
from datasets import Dataset
from torch import nn
from transformers import BertConfig, BertForQuestionAnswering

from helpers import Extraction, models

TASK = Extraction(max_length=48, stride=8, max_answer=8)


def tokenizer():
    """The packaged encoder's: it reads any text, and cuts words into pieces."""
    return models.tokenizer("encoder", scale="laptop")


def model(seed: int = 0, dropout: float = 0.0) -> BertForQuestionAnswering:
    """Two layers of width 32, drawn under `seed`."""
    settings = BertConfig(
        vocab_size=30522,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=64,
        hidden_dropout_prob=dropout,
        attention_probs_dropout_prob=dropout,
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return BertForQuestionAnswering(settings)


def rows(count: int = 24) -> Dataset:
    """Contexts of some facts; each third question has no answer."""
    names, towns = ("Anna", "Boris", "Chen", "Dora"), ("Oslo", "Lima", "Pune")
    made = []
    for i in range(count):
        name, town = names[i % 4], towns[i // 4 % 3]
        context = f"In {1900 + i} {name} left. {name} went to {town} by boat {i} and stayed there for years."
        asked = [("Where did the boat go?", town), ("Who left?", name), ("What did it cost?", None)][i % 3]
        made.append(row(asked[0], context, *([asked[1]] if asked[1] else [])))
    return Dataset.from_list(made)


def row(question: str, context: str, *texts: str) -> dict:
    """A labelled row; each answer is placed where it first stands."""
    places = [context.index(text) for text in texts]
    return {"question": question, "context": context, "answers": {"text": list(texts), "answer_start": places}}


class Dice(nn.Module):
    """Answers with random logits: every legal span must come out whole, whatever a model says."""

    device = torch.device("cpu")
    config = SimpleNamespace(pad_token_id=0)

    def __init__(self, seed: int = 0):
        super().__init__()
        self.random = torch.Generator().manual_seed(seed)

    def forward(self, input_ids, **_):
        """Logits (B, T) each for start and end."""
        both = torch.randn(2, *input_ids.shape, generator=self.random)
        return SimpleNamespace(start_logits=both[0], end_logits=both[1])
