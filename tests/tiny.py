"""A classifier small enough to train in a second, with its tokenizer and rows: for tests that need no skill."""

import sys
from collections.abc import Sequence

import torch
from datasets import ClassLabel, Dataset, Features, Value
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import BertConfig, BertForSequenceClassification, PreTrainedTokenizerFast

from helpers import Classification, Recipe

WORDS = [f"w{i}" for i in range(60)]
TASK = Classification(("no", "yes"), max_length=32)
TWO_PROCESSES = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", "2", "--standalone"]
ON_CPU = {"ACCELERATE_USE_CPU": "true", "OMP_NUM_THREADS": "1"}  # variables of the environment for them


def tokenizer() -> PreTrainedTokenizerFast:
    """One token a word, [CLS] first and [SEP] last."""
    vocabulary = {word: i for i, word in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", *WORDS])}
    words = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    words.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", vocabulary["[CLS]"]), ("[SEP]", vocabulary["[SEP]"])]
    )
    special = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    return PreTrainedTokenizerFast(tokenizer_object=words, model_max_length=32, **special)


def model(
    seed: int = 0, dropout: float = 0.1, labels: Sequence[str] = ("no", "yes"), **config
) -> BertForSequenceClassification:
    """Two layers of width 16, drawn under `seed`."""
    settings = BertConfig(
        vocab_size=len(WORDS) + 4,
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=32,
        hidden_dropout_prob=dropout,
        attention_probs_dropout_prob=dropout,
        id2label=dict(enumerate(labels)),
        label2id={name: place for place, name in enumerate(labels)},
        **config,
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return BertForSequenceClassification(settings)


def rows(count: int = 96, seed: int = 0) -> Dataset:
    """Texts of 1 to 20 words; the label says whether most of them come from the second half of the vocabulary."""
    random = torch.Generator().manual_seed(seed)
    texts, labels = [], []
    for _ in range(count):
        length = int(torch.randint(1, 21, (), generator=random))
        label = int(torch.randint(2, (), generator=random))
        words = torch.randint(len(WORDS) // 2, (length,), generator=random) + label * len(WORDS) // 2
        texts.append(" ".join(WORDS[i] for i in words))
        labels.append(label)
    features = Features({"text": Value("string"), "label": ClassLabel(names=["no", "yes"])})
    return Dataset.from_dict({"text": texts, "label": labels}, features=features)


def recipe(**changes) -> Recipe:
    """A short run on `rows`."""
    # in fp32 on every processor: what is compared to the last digits must not be rounded to the 8 bits of bf16
    return Recipe(
        **{"precision": "fp32", "learning_rate": 3e-3, "epochs": 2, "batch_rows": 32, "checkpoint_steps": 1} | changes
    )


def weights(model) -> dict[str, torch.Tensor]:
    """A copy of all parameters by name, on the CPU wherever the model is."""
    return {name: parameter.detach().clone().cpu() for name, parameter in model.named_parameters()}
