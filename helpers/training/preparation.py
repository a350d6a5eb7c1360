"""From rows, a model and a recipe to a run that can begin: rows as tokens, its steps, and what computes them."""

from pathlib import Path

import numpy as np
import torch
from accelerate import Accelerator
from datasets import Dataset
from peft import PeftModel
from torch import nn
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from helpers.data.batching import length_batches
from helpers.errors import InputError, TrainingError
from helpers.models import stored
from helpers.models.fast import check_dropout
from helpers.tasks.base import Task, labelled_references
from helpers.training import checkpoints, probes, sharding
from helpers.training.device import accelerator, out_of_memory
from helpers.training.job import Job, listed
from helpers.training.optimizer import check_reach, new_parameters, parameter_groups
from helpers.training.recipe import Recipe


def prepare(
    task: Task,
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    train: Dataset,
    validation: Dataset | None,
    recipe: Recipe,
    work: Path | None,
) -> Job:
    """Encode the rows, plan the steps, and bring the model to its device; InputError for what cannot be trained."""
    encoded, validation = _encoded(task, model, tokenizer, train, validation)
    trainable = {name: parameter.requires_grad for name, parameter in model.named_parameters()}
    machine, precision = accelerator(recipe)
    _check_recipe(model, recipe, machine, work)
    recipe = _resolved(recipe, len(encoded), model, machine)
    lengths = np.array([len(ids) for ids in encoded["input_ids"]])
    plan, evaluate_after = _plan(lengths, recipe)
    terms = _loss_terms(task, encoded, plan)
    few = probes.few(encoded, lengths, terms)
    machine, precision = _proved(task, model, few, tokenizer.pad_token_id, recipe, machine, precision)
    model, optimizer, peaks, outline = _on_device(machine, model, recipe, task)
    return Job(
        task=task,
        recipe=recipe,
        accelerator=machine,
        precision=precision,
        model=model,
        optimizer=optimizer,
        peaks=peaks,
        rows=encoded,
        lengths=lengths,
        terms=terms,
        plan=plan,
        evaluate_after=evaluate_after,
        validation=validation,
        tokenizer=tokenizer,
        work=work,
        trainable=trainable,
        outline=outline,
    )


def _check_recipe(model: PreTrainedModel, recipe: Recipe, machine: Accelerator, work: Path | None) -> None:
    """InputError if the recipe, or a checkpoint, asks for what this model, or one process, cannot do."""
    checkpoints.check_processes(work, machine.num_processes)
    check_reach(model, recipe)
    check_dropout(model, recipe.dropout, recipe.attention_dropout)
    if recipe.shard:
        sharding.check(model, machine.num_processes)


def _proved(task: Task, model: PreTrainedModel, rows: list[dict], *of_the_run) -> tuple[Accelerator, str]:
    """As `probes.prove`; memory that runs out on a few rows is a TrainingError: no setting of the recipe helps."""
    try:
        return probes.prove(task, model, rows, *of_the_run)
    except (RuntimeError, MemoryError) as error:
        if not out_of_memory(error):
            raise
        longest = max(len(row["input_ids"]) for row in rows)
        raise TrainingError(
            f"memory ran out before the first step, on two rows of up to {longest} tokens; take a smaller model, close "
            "other programs, or use a machine with more memory"
        ) from error


def _resolved(recipe: Recipe, rows: int, model: PreTrainedModel, machine: Accelerator) -> Recipe:
    lora = hasattr(model, "peft_config")
    return recipe.resolved(rows, stored.weight_count(model), lora=lora, device=machine.device.type)


def _loss_terms(task: Task, encoded: Dataset, plan: list[tuple[int, list[int]]]) -> np.ndarray:
    """What each row adds to the loss, (N,); InputError if a step would divide by zero because none of its rows adds."""
    try:
        terms = task.loss_terms(encoded)
    except InputError:
        raise
    except (KeyError, ValueError) as error:
        raise InputError(f"the training rows hold no labels ({error}); add them") from error
    for _, rows in plan:
        if terms[rows].sum() == 0:
            raise InputError(
                f"nothing in the rows {listed(rows)} of the training data adds to the loss; they must hold labels, or "
                "completions"
            )
    return terms


def _encoded(
    task: Task, model: nn.Module, tokenizer: PreTrainedTokenizerBase, train: Dataset, validation: Dataset | None
) -> tuple[Dataset, Dataset | None]:
    """Rows as tokens; InputError if there are none, or if those for validation hold nothing to compare with."""
    if len(train) == 0:
        raise InputError("the training data hold no rows; give at least one")
    encoded = task.encode(tokenizer, train)
    _check_vocabulary(model, encoded)
    if validation is None:
        return encoded, None
    if len(validation) == 0:
        raise InputError("the validation data hold no rows; give at least one, or leave validation out")
    compared = task.encode(tokenizer, validation)
    labelled_references(task, compared)
    return encoded, compared


def _check_vocabulary(model: nn.Module, encoded: Dataset) -> None:
    """InputError if a row holds a token that the model has no embedding for, as when a tokenizer was given new ones."""
    embeddings = model.get_input_embeddings() if isinstance(model, PreTrainedModel | PeftModel) else None
    known = getattr(embeddings, "num_embeddings", None)
    if known is None:
        return
    for row, ids in enumerate(encoded["input_ids"], start=1):
        if ids and max(ids) >= known:
            raise InputError(
                f"row {row} of the training data holds token {max(ids)}, and the model has embeddings of {known:,} "
                "tokens; take the tokenizer of this model, or train all weights after resize_token_embeddings"
            )


def _on_device(machine: Accelerator, model: PreTrainedModel, recipe: Recipe, task: Task) -> tuple:
    """The model and its optimiser as accelerate prepares them, the highest learning rate of each group, and an outline.

    The outline of a model that is sharded is made before.
    """
    outline = sharding.outline(model) if recipe.shard else None
    groups = parameter_groups(model, recipe, new_parameters(model, task), task.learning_rates)
    if recipe.shard:
        before = dict(model.named_parameters())
        sharding.shard(model, machine.device, machine.num_processes)
        groups = sharding.by_name(groups, before, model)
    optimizer = torch.optim.AdamW(groups, lr=recipe.learning_rate, fused=machine.device.type in ("cpu", "cuda"))
    peaks = [group["lr"] for group in optimizer.param_groups]
    if not recipe.shard:
        return *machine.prepare(model, optimizer), peaks, outline
    # `evaluation_mode` leaves out the whole copies and keeps the precision
    return machine.prepare_model(model, evaluation_mode=True), machine.prepare_optimizer(optimizer), peaks, outline


def _plan(lengths: np.ndarray, recipe: Recipe) -> tuple[list[tuple[int, list[int]]], set[int]]:
    """The epoch and rows of every step, and the numbers of the steps after which validation is scored."""
    plan, evaluate_after, parts = [], set(), recipe.evaluations
    for epoch in range(recipe.epochs):
        batches = length_batches(lengths, batch_rows=recipe.batch_rows, seed=recipe.seed, epoch=epoch)
        evaluate_after |= {len(plan) + max(1, len(batches) * part // parts) for part in range(1, parts + 1)}
        plan += [(epoch, batch) for batch in batches]
    return plan, evaluate_after
