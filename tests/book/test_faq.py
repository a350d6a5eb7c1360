"""Each error message of the page of questions is what the pinned libraries say, raised by the mistake that it names."""

import logging
import re
from pathlib import Path

import pytest
import tiny
import torch
from datasets import Dataset
from peft import LoraConfig, get_peft_model
from torch.nn.functional import cross_entropy
from transformers import (
    AutoConfig,
    AutoModel,
    AutoModelForSequenceClassification,
    LlamaConfig,
    LlamaForSequenceClassification,
    Trainer,
    TrainingArguments,
)
from trl import SFTConfig

PAGE = Path(__file__).parents[2] / "book" / "09-guide" / "faq.md"
MESSAGES = re.findall(r"```text\n(.*?)\n```", PAGE.read_text(encoding="utf-8"), re.S)
ONE = torch.tensor([[5, 6]])
POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"


def arguments(folder: Path, **settings) -> TrainingArguments:
    return TrainingArguments(folder, report_to=[], use_cpu=True, max_steps=1, disable_tqdm=True, **settings)


def trained(folder: Path, rows: list[dict]) -> None:
    Trainer(tiny.model(), arguments(folder), train_dataset=Dataset.from_list(rows)).train()


def decoder() -> LlamaForSequenceClassification:
    sizes = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 8}
    return LlamaForSequenceClassification(LlamaConfig(vocab_size=50, **sizes))


def without_padding(folder: Path) -> None:
    tokenizer = tiny.tokenizer()
    tokenizer.pad_token = None
    tokenizer(["w1", "w1 w2"], padding=True)


def decoder_with_a_head(folder: Path) -> None:
    decoder()(input_ids=torch.ones(2, 3, dtype=torch.long))


def unscaled(folder: Path) -> None:
    weights = torch.nn.Parameter(torch.ones(2, dtype=torch.float16))
    scaler = torch.amp.GradScaler("cpu")
    scaler.scale(weights.sum()).backward()
    scaler.unscale_(torch.optim.SGD([weights], 0.1))


def pointer(folder: Path) -> None:
    tiny.model().config.save_pretrained(folder)
    (folder / "model.safetensors").write_text(POINTER, encoding="utf-8")
    AutoModelForSequenceClassification.from_pretrained(folder)


def other_head(folder: Path) -> None:
    tiny.model().save_pretrained(folder)
    AutoModelForSequenceClassification.from_pretrained(folder, num_labels=5)


def unknown_family(folder: Path) -> None:
    (folder / "config.json").write_text('{"model_type": "newmodel"}', encoding="utf-8")
    AutoConfig.from_pretrained(folder)


def too_long_for_the_tokenizer(folder: Path) -> None:
    """A warning, which is raised here so that it is read like the errors."""
    tokenizer = tiny.tokenizer()
    tokenizer.model_max_length = 8
    heard: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: heard.append(record.getMessage())
    logger = logging.getLogger("transformers")
    logger.addHandler(handler)
    try:
        tokenizer(" ".join(["w1"] * 78))
    finally:
        logger.removeHandler(handler)
    raise UserWarning(*heard)


# What raises each message, by its first words.
CAUSES = {
    "Target 2 is": lambda folder: cross_entropy(torch.zeros(2, 2), torch.tensor([0, 2])),
    "Expected input batch_size": lambda folder: cross_entropy(torch.zeros(8, 2), torch.tensor([0, 1])),
    "expected target dtype": lambda folder: cross_entropy(torch.zeros(2, 2), torch.tensor([0.0, 1.0])),
    "Target size": lambda folder: tiny.model()(ONE, labels=torch.tensor([1.0])),
    "The expanded size": lambda folder: tiny.model()(torch.ones(1, 4000, dtype=torch.long)),
    "Token indices": too_long_for_the_tokenizer,
    "Unable to create": lambda folder: tiny.tokenizer()(["w1", "w1 w2"], return_tensors="pt"),
    "Asking to pad": without_padding,
    "Cannot handle batch": decoder_with_a_head,
    "index out of": lambda folder: tiny.model()(torch.tensor([[10**6]])),
    "Cannot use chat": lambda folder: tiny.tokenizer().apply_chat_template([{"role": "user", "content": "w1"}]),
    "'NoneType' object": lambda folder: tiny.model()(ONE).loss.backward(),
    "element 0 of": lambda folder: tiny.model().requires_grad_(False)(ONE, labels=ONE[:, 0] - 4).loss.backward(),
    "Attempting to unscale": unscaled,
    "DefaultCPUAllocator: can't": lambda folder: torch.empty(10**15),
    "The model did": lambda folder: trained(folder, [{"input_ids": [5, 6]}] * 4),
    "No columns in": lambda folder: trained(folder, [{"text": "w1", "target": 1}] * 4),
    "expected sequence of": lambda folder: trained(folder, [{"input_ids": [5] * n, "labels": 1} for n in (3, 4)]),
    "TrainingArguments.__init__() got": lambda folder: arguments(folder, evaluation_strategy="epoch"),
    "SFTConfig.__init__() got": lambda folder: SFTConfig(str(folder), max_seq_length=8, use_cpu=True),
    "Trainer.__init__() got": lambda folder: Trainer(tiny.model(), tokenizer=tiny.tokenizer()),
    "--load_best_model_at_end requires": lambda folder: arguments(folder, load_best_model_at_end=True),
    "Target modules": lambda folder: get_peft_model(decoder(), LoraConfig(target_modules=["query"])),
    "You set": other_head,
    "Error while deserializing": pointer,
    "We couldn't connect": lambda folder: AutoModel.from_pretrained("somebody/no-such-model"),
    "The checkpoint you": unknown_family,
}


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: message[:30])
def test_a_message_is_raised_by_the_mistake_that_it_names(message, tmp_path):
    (cause,) = [cause for words, cause in CAUSES.items() if message.startswith(words)]
    with pytest.raises(Exception) as raised:
        cause(tmp_path)
    assert " ".join(message.split()) in " ".join(str(raised.value).split())


def test_every_message_has_a_cause_and_every_cause_a_message():
    assert len(MESSAGES) == len(CAUSES) == len(set(MESSAGES))
