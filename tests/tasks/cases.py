"""For each task of the registry what the contract is tried on: settings, a tokenizer, a tiny model, and rows."""

from collections.abc import Callable
from dataclasses import dataclass

import tiny
import tiny_decoder
import tiny_extraction
import torch
from datasets import ClassLabel, Dataset, Features, List, Value
from tokenizers import processors
from transformers import (
    BertForTokenClassification,
    MarianConfig,
    MarianMTModel,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from helpers.tasks.base import Task
from helpers.tasks.classification.task import Classification
from helpers.tasks.multilabel.task import MultiLabel
from helpers.tasks.seq2seq import Seq2Seq
from helpers.tasks.tagging.task import Tagging

TAGS = ("O", "B-X", "I-X")


@dataclass(frozen=True)
class Case:
    """One task with all that it takes to run it.

    Attributes:
        bad: a labelled row that `encode` refuses, or where that takes any text, the lines of a file whose third row the
            wing's `files.read` refuses.
        recipe: changes of `tiny.recipe` under which `rows` are learned by heart.
    """

    task: Task
    tokenizer: Callable[[], PreTrainedTokenizerBase]
    model: Callable[[], PreTrainedModel]
    rows: Callable[[int], Dataset]
    bad: dict | list[dict]
    recipe: dict


def tagged_rows(count: int) -> Dataset:
    """Sentences in which a word of the second half of the vocabulary begins or continues a span."""
    random = torch.Generator().manual_seed(0)
    tokens, tags = [], []
    for _ in range(count):
        places = torch.randint(len(tiny.WORDS), (int(torch.randint(2, 12, (), generator=random)),), generator=random)
        marked = [place >= len(tiny.WORDS) // 2 for place in places.tolist()]
        tokens.append([tiny.WORDS[place] for place in places])
        tags.append([0 if not now else 2 if then else 1 for then, now in zip([False, *marked], marked, strict=False)])
    features = Features({"tokens": List(Value("string")), "tags": List(ClassLabel(names=list(TAGS)))})
    return Dataset.from_dict({"tokens": tokens, "tags": tags}, features=features)


def multilabel_rows(count: int) -> Dataset:
    """Texts with a word for each of their labels, and words that mean nothing."""
    marks = ("w2", "w6", "w7")
    own = [[mark for place, mark in enumerate(marks) if row >> place & 1] for row in range(count)]
    texts = [" ".join([*words, *["w59"] * (1 + row % 4)]) for row, words in enumerate(own)]
    labels = [[marks.index(mark) for mark in words] for words in own]
    features = Features({"text": Value("string"), "labels": List(ClassLabel(names=["a", "b", "c"]))})
    return Dataset.from_dict({"text": texts, "labels": labels}, features=features)


def translator() -> MarianMTModel:
    """Two layers of width 32 on each side."""
    sizes = {"d_model": 32, "encoder_layers": 2, "decoder_layers": 2, "encoder_attention_heads": 2}
    sizes |= {"decoder_attention_heads": 2, "encoder_ffn_dim": 64, "decoder_ffn_dim": 64}
    special = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2, "decoder_start_token_id": 0}
    settings = MarianConfig(
        vocab_size=259, decoder_vocab_size=259, dropout=0.0, max_position_embeddings=64, forced_eos_token_id=None,
        **sizes, **special,
    )  # fmt: skip
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return MarianMTModel(settings).eval()


def pair_tokenizer() -> PreTrainedTokenizerBase:
    """One token a byte, and an end after each side."""
    tokenizer = tiny_decoder.tokenizer(window=64)
    tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single="$A <|end|>", special_tokens=[(tiny_decoder.END, 2)]
    )
    return tokenizer


def tagger() -> BertForTokenClassification:
    """The classifier's sizes."""
    config = tiny.model(dropout=0.0).config
    config.num_labels = len(TAGS)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return BertForTokenClassification(config).eval()


PAIR = {"prompt": "ab", "completion": " "}
FAST = {"learning_rate": 1e-2, "epochs": 60, "batch_rows": 8}
CASES = {
    "classification": Case(
        Classification(("no", "yes"), 32),
        tiny.tokenizer,
        lambda: tiny.model(dropout=0.0).eval(),
        tiny.rows,
        [{"text": "w1", "label": "no"}, {"text": "w2", "label": "yes"}, {"text": " ", "label": "no"}],
        FAST,
    ),
    "multilabel": Case(
        MultiLabel(("a", "b", "c"), 32),
        tiny.tokenizer,
        lambda: tiny.model(
            dropout=0.0, problem_type="multi_label_classification", labels="abc", initializer_range=0.3
        ).eval(),
        multilabel_rows,
        [{"text": "w1", "labels": ["a"]}, {"text": "w2", "labels": []}, {"text": "w3", "labels": [7]}],
        FAST | {"epochs": 100},
    ),
    "tagging": Case(
        Tagging(TAGS, max_length=32),
        tiny.tokenizer,
        tagger,
        tagged_rows,
        [{"tokens": ["w1"], "tags": ["O"]}, {"tokens": ["w2"], "tags": ["B-X"]}, {"tokens": ["w3"], "tags": []}],
        FAST,
    ),
    "extraction": Case(
        tiny_extraction.TASK,
        tiny_extraction.tokenizer,
        lambda: tiny_extraction.model().eval(),
        tiny_extraction.rows,
        {"question": "Who?", "context": "Anna left.", "answers": {"text": ["Boris"], "answer_start": [0]}},
        FAST | {"epochs": 40},
    ),
    "generation": Case(tiny_decoder.PLAIN, tiny_decoder.tokenizer, tiny_decoder.model, tiny_decoder.rows, PAIR, FAST),
    "seq2seq": Case(Seq2Seq(max_new_tokens=8), pair_tokenizer, translator, tiny_decoder.rows, PAIR, FAST),
}
