"""One fine-tuning by several trainers: the same rows, order and settings by a plain loop, `Trainer`, TRL and `helpers`.

Dropout is off and all is computed in fp32, so that nothing is left to differ but the order of sums. Then `Trainer` gets
its own defaults back, all at once and one at a time, and TRL makes the tokens of chats itself.
"""

import tempfile
from collections.abc import Callable, Iterator
from itertools import chain

import numpy as np
import torch
from datasets import Dataset
from torch import nn
from transformers import (
    AutoModelForCausalLM,
    AutoModelForSequenceClassification,
    PreTrainedModel,
    Trainer,
    TrainingArguments,
)
from transformers.trainer_callback import PrinterCallback
from trl import SFTConfig, SFTTrainer

from experiments.bugs import LOSS_STEPS
from helpers import Classification, Generation, Recipe, corpora, fit, models, sample
from helpers.data import framed
from helpers.data.batching import length_batches
from helpers.models import lora

CORPUS = {"trainers": "reviews", "chat-trainers": "parameters"}
MODEL = {"trainers": "encoder", "chat-trainers": "decoder"}
SEEDS = range(3)  # of the drawn rows and of the new layer
ROWS, LENGTH, BATCH_ROWS = 192, 64, 16
CHATS, CHAT_ROWS, RANK = 20, 4, 8
QUESTION = "Write name, type and default of this parameter as JSON.\n\n{}"
RECIPE = {"learning_rate": 1e-4, "epochs": 3, "batch_rows": BATCH_ROWS, "warmup": 0.0, "weight_decay": 0.0}
RECIPE |= {"dropout": 0.0, "attention_dropout": 0.0, "precision": "fp32", "seed": 0}
CHAT_RECIPE = RECIPE | {"learning_rate": 1e-3, "epochs": 1, "batch_rows": CHAT_ROWS}
CHAT_RECIPE |= {"dropout": None, "attention_dropout": None}  # the decoder has none
# What all are told, in the words of `Trainer`, and what it does of these by itself.
TOLD = {"learning_rate": RECIPE["learning_rate"], "per_device_train_batch_size": BATCH_ROWS, "dropout": 0.0}
TOLD |= {"train_sampling_strategy": "sequential"}
OWN = {"learning_rate": 5e-5, "per_device_train_batch_size": 8, "dropout": 0.1, "train_sampling_strategy": "random"}


def trainers() -> Iterator[tuple[dict, Callable]]:
    """Losses of the steps, and what is right of all test rows, by trainer and by what it does as it likes."""
    for seed in SEEDS:
        for system, own in (("plain", None), ("Trainer", None), ("helpers", None), ("Trainer", "all")):
            about = {"system": system, "own": own, "seed": seed}
            yield about, lambda about=about: _classified(**about)
    for seed in SEEDS:
        for own in OWN:
            about = {"system": "Trainer", "own": own, "seed": seed}
            yield about, lambda about=about: _classified(**about)


def chat_trainers() -> Iterator[tuple[dict, Callable]]:
    """Losses of the steps on chats, by trainer; the last one makes tokens and labels itself."""
    for system in ("plain", "helpers", "SFTTrainer", "SFTTrainer, its own tokens"):
        yield {"system": system, "seed": 0}, lambda system=system: _chatted(system)


EXPERIMENTS = {"trainers": trainers, "chat-trainers": chat_trainers}


def plain_loop(model: PreTrainedModel, batches: list[dict], rate: float) -> list[float]:
    """Train in place as any script does, a step for each batch; returns the loss of each."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=rate, weight_decay=0.0)
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.0, len(batches))
    losses = []
    for batch in batches:
        loss = model(**batch).loss
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    return losses


def steps_of(encoded: Dataset, recipe: dict) -> list[list[int]]:
    """The rows of each step in the order in which `helpers` takes them."""
    lengths = [len(ids) for ids in encoded["input_ids"]]
    settings = {"batch_rows": recipe["batch_rows"], "seed": recipe["seed"]}
    return [step for epoch in range(recipe["epochs"]) for step in length_batches(lengths, epoch=epoch, **settings)]


def by_trainer(kind: type, config: type, model: PreTrainedModel, rows: Dataset, **settings) -> list[float]:
    """The losses of `Trainer` or one that derives from it; `settings` may hold its collator."""
    given = {name: settings.pop(name) for name in ("data_collator", "processing_class") if name in settings}
    quiet = {"report_to": "none", "save_strategy": "no", "disable_tqdm": True, "logging_steps": 1}
    with tempfile.TemporaryDirectory() as folder:
        arguments = config(folder, use_cpu=not torch.cuda.is_available(), **quiet, **settings)
        trainer = kind(model, arguments, train_dataset=rows, **given)
        trainer.remove_callback(PrinterCallback)
        trainer.train()
    return [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]


def _classified(system: str, own: str | None, seed: int) -> dict:
    corpus = corpora.load(CORPUS["trainers"], scale="laptop")
    task, tokenizer = Classification(corpus.labels, max_length=LENGTH), models.tokenizer("encoder", scale="laptop")
    rows = sample(corpus.data["train"], ROWS, seed)
    encoded = task.encode(tokenizer, rows)
    told = TOLD | {name: value for name, value in OWN.items() if own in (name, "all")}
    rate, model, steps = told["learning_rate"], _encoder(told.pop("dropout"), seed), steps_of(encoded, RECIPE)

    def padded(step: list[dict]) -> dict:
        return task.collate(step, tokenizer.pad_token_id)

    if system == "plain":
        losses = plain_loop(model.train(), [padded(encoded.select(step).to_list()) for step in steps], rate)
    elif system == "helpers":
        losses = fit(task, model, tokenizer, rows, None, Recipe(**RECIPE)).history["loss"].tolist()
    else:
        shuffled = told["train_sampling_strategy"] == "random"
        epochs, rows = (RECIPE["epochs"], encoded) if shuffled else (1, encoded.select(list(chain(*steps))))
        told |= {"num_train_epochs": epochs, "data_collator": padded}
        losses = by_trainer(Trainer, TrainingArguments, model, rows, **told)
    return {"losses": losses} | _scored(task, model, task.encode(tokenizer, corpus.data["test"]))


def _encoder(dropout: float, seed: int) -> PreTrainedModel:
    rates = {"hidden_dropout_prob": dropout, "attention_probs_dropout_prob": dropout}
    return models.load(AutoModelForSequenceClassification, "encoder", scale="laptop", seed=seed, num_labels=2, **rates)


def _scored(task: Classification, model: PreTrainedModel, test: Dataset) -> dict:
    labels = np.array(test["labels"])  # (N,)
    p = task.predict(model.eval(), test)  # (N, C)
    losses = np.rint(-LOSS_STEPS * np.log(p[np.arange(len(labels)), labels]))  # (N,)
    right = p.argmax(-1) == labels
    scores = {"accuracy": float(right.mean()), "loss": float(losses.mean()) / LOSS_STEPS}
    return {"n": len(labels), "correct": right, "counts": losses[:, None]} | scores


def _chatted(system: str) -> dict:
    corpus, tokenizer = corpora.load(CORPUS["chat-trainers"]), models.tokenizer("decoder", scale="laptop")
    rows, task = framed(sample(corpus.data["train"], CHATS), QUESTION), Generation()
    encoded, model = task.encode(tokenizer, rows), _decoder()
    steps, rate = steps_of(encoded, CHAT_RECIPE), CHAT_RECIPE["learning_rate"]

    def collated(step: list[int]) -> dict:
        return task.collate(encoded.select(step).to_list(), tokenizer.pad_token_id)

    if system == "plain":
        losses = plain_loop(model.train(), [collated(step) for step in steps], rate)
    elif system == "helpers":
        losses = fit(task, model, tokenizer, rows, None, Recipe(**CHAT_RECIPE)).history["loss"].tolist()
    else:
        order = list(chain(*steps))
        alone = [{name: ids[0].tolist() for name, ids in collated([row]).items()} for row in order]
        given = alone if system == "SFTTrainer" else [as_turns(rows[row]) for row in order]
        told = TOLD | {"learning_rate": rate, "per_device_train_batch_size": CHAT_ROWS, "num_train_epochs": 1}
        told |= {"bf16": False, "gradient_checkpointing": False, "processing_class": tokenizer}
        told.pop("dropout")
        losses = by_trainer(SFTTrainer, SFTConfig, model, Dataset.from_list(given), **told)
    return {"losses": losses, "n": CHATS}


def _decoder() -> PreTrainedModel:
    return lora.add(models.load(AutoModelForCausalLM, "decoder", scale="laptop"), RANK)


def as_turns(row: dict) -> dict:
    """A pair as TRL takes it: a list of turns to read, and one of turns to learn."""
    return {
        name: [{"role": role, "content": row[name]}] for name, role in (("prompt", "user"), ("completion", "assistant"))
    }
