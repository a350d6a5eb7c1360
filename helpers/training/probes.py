"""A shortcut proves itself on the model at hand: before the first step, a few tokens are computed with and without it.

Where the result would differ, the shortcut is left out with a warning of one sentence, or refused if the caller asked
for it by name; a list of architectures would be out of date with the next one. The run is not changed by this: random
states, modes of modules, gradients and buffers are afterwards what they were.
"""

import random
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import numpy as np
import torch
from accelerate import Accelerator, DistributedDataParallelKwargs
from accelerate.utils import broadcast_object_list
from datasets import Dataset
from torch import Tensor, nn

from helpers.data.batching import on_device
from helpers.errors import InputError
from helpers.models.fast import RandomBits, cheap_dropout, dropout_rates, family, nothing_reached
from helpers.tasks.base import Task
from helpers.training.device import accelerator, give_back_memory
from helpers.training.recipe import Recipe

EQUAL = 1e-5  # relative difference of sums in fp32 that differ in their order alone
ROUNDED, ALONG = 0.1, 0.5  # relative difference of the loss, and cosine of the gradients, that bf16 may bring
HIGH = 0.6  # a rate at which a dropout that reaches anything changes the loss
Gradients = dict[str, Tensor]


class _CountedBits(RandomBits):
    """Random bits that know how often they were asked for."""

    draws = 0

    def draw(self, shape: torch.Size) -> Tensor:
        self.draws += 1
        return super().draw(shape)


class _Sums:
    """Sums over all weights that say how like the gradients of two passes are; those of the second are not kept."""

    def __init__(self, expected: Gradients):
        self._first, self.names = expected, set()
        self.apart = self.product = self.expected = self.found = 0.0

    def add(self, name: str, gradient: Tensor) -> None:
        self.names.add(name)
        if (first := self._first.get(name)) is not None:
            self.apart += (gradient - first).square().sum().item()
            self.product += (gradient * first).sum().item()
            self.expected += first.square().sum().item()
            self.found += gradient.square().sum().item()


class Trial:
    """A few rows of a run with its model, to compute their loss in different ways.

    Attributes:
        rows: two encoded rows, as `few` chooses them.
        most: rows of a step of the run.
    """

    def __init__(self, task: Task, model: nn.Module, rows: list[dict], pad_id: int, most: int = 2):
        self.task, self.model, self.rows, self.pad_id, self.most = task, model, rows, pad_id, most
        self.device = next(model.parameters()).device

    def loss(self, rows: list[dict] | None = None, task: Task | None = None) -> Tensor:
        """The summed loss of rows in one batch, by default of the two as the run computes it; scalar."""
        task = task or self.task
        return task.loss(self.model, on_device(task.collate(rows or self.rows, self.pad_id), self.device)).float()

    def gradients(self) -> tuple[float, Gradients]:
        """The loss, and the gradient of each parameter that has one, by name; in evaluation mode nothing is random."""
        found = {}
        return self.backward(self.loss(), found.__setitem__), found

    def backward(self, loss: Tensor, take: Callable[[str, Tensor], None]) -> float:
        """The loss as a number; `take` gets the gradient of each parameter as soon as it is there, and it is dropped.

        So no more is held than what `take` keeps: the gradients of a large model are as large as the model.
        """

        def taken(name: str, parameter: nn.Parameter) -> None:
            take(name, parameter.grad)
            parameter.grad = None

        trained = [(name, p) for name, p in self.model.named_parameters() if p.requires_grad]
        hooks = [p.register_post_accumulate_grad_hook(partial(taken, name)) for name, p in trained]
        try:
            loss.backward()
        finally:
            for hook in hooks:
                hook.remove()
        return loss.item()

    def check_rows_apart(self) -> None:
        """InputError if rows see each other or later tokens; a warning if padding that is masked changes a row."""
        apart, rows = self.task.apart(), list(self.rows)
        while len(self.task.collate(rows, self.pad_id)["input_ids"]) < 2 and len(rows) + len(self.rows) <= self.most:
            rows += self.rows  # until they fill two sequences, as in the run
        alone = sum(self.loss([row], apart).item() for row in self.rows) * len(rows) / len(self.rows)
        together, padded = self.loss(rows).item(), self.loss(rows, apart).item()
        if _equal(together, alone):
            return
        losses = f"the loss of {len(rows)} rows is {together:.6g} together and {alone:.6g} apart"
        if _equal(padded, alone):
            raise InputError(f"packed rows see each other in this model ({family(self.model)}): {losses}; do not pack")
        if "attention_mask" not in apart.collate(rows, self.pad_id):
            raise InputError(
                f"tokens see later ones in this model ({family(self.model)}), which learns nothing so: "
                f"{losses}; take a decoder, or set is_decoder in its configuration"
            )
        warnings.warn(
            f"padding changes what this model ({family(self.model)}) computes for a row: {losses}; its answers depend "
            "on the rows beside",
            stacklevel=5,
        )

    def check_rates(self, recipe: Recipe) -> None:
        """InputError if a rate of the recipe changes nothing; in training mode."""
        for kind, name in (("hidden", "dropout"), ("attention", "attention_dropout")):
            if getattr(recipe, name) is not None and self._dropped(kind, 0.0) == self._dropped(kind, HIGH):
                raise nothing_reached(self.model, name)

    def _dropped(self, kind: str, rate: float) -> float:
        rates = {"hidden": None, "attention": None} | {kind: rate}
        torch.manual_seed(0)
        with torch.no_grad(), dropout_rates(self.model, **rates):
            return self.loss().item()

    def different(self, precision: str) -> tuple[set[str], bool]:
        """The shortcuts under which loss or gradients are others, and whether some weights have no gradient."""
        shortcuts = {"fast path": self.same_on_fast_path}
        if precision == "bf16":
            shortcuts["bf16"] = self.same_in_bf16
        try:
            expected = self.gradients()
        except AssertionError:  # Reformer has gradients in training mode alone, where nothing can be compared
            return set(shortcuts), True
        unused = any(name not in expected[1] for name, p in self.model.named_parameters() if p.requires_grad)
        return {name for name, same in shortcuts.items() if not same(expected)}, unused

    def same_on_fast_path(self, expected: tuple[float, Gradients]) -> bool:
        """Whether the task's fast path gives the same loss and the same gradients."""
        sums = _Sums(expected[1])
        with self.task.fast_path(self.model):
            loss = self.backward(self.loss(), sums.add)
        if sums.names != expected[1].keys():
            return False
        return _equal(loss, expected[0]) and not sums.apart**0.5 > 10 * EQUAL * sums.expected**0.5

    def same_in_bf16(self, expected: tuple[float, Gradients]) -> bool:
        """Whether bf16 computes the same loss and gradients up to its rounding, and computes at all."""
        sums = _Sums(expected[1])
        try:
            with _forward_in_bf16(self.model, self.device):
                loss = self.backward(self.loss(), sums.add)
        except (RuntimeError, NotImplementedError):  # some models mix types that a product does not take together
            return False
        near = abs(loss - expected[0]) <= ROUNDED * max(abs(expected[0]), 1.0)
        return near and np.isfinite(sums.found) and sums.product >= ALONG * (sums.expected * sums.found) ** 0.5

    def drawn_once(self, recipe: Recipe) -> tuple[bool, set[str]]:
        """Whether backward repeats no dropout, whose cheap bits would be others; and what training mode reaches."""
        bits, reached = _CountedBits(), set()
        with (
            dropout_rates(self.model, recipe.dropout, recipe.attention_dropout),
            cheap_dropout(self.model, bits),
            self.task.fast_path(self.model),
        ):
            loss, draws = self.loss(), bits.draws
            self.backward(loss, lambda name, gradient: reached.add(name))
        return bits.draws == draws, reached


def prove(
    task: Task,
    model: nn.Module,
    rows: list[dict],
    pad_id: int,
    recipe: Recipe,
    machine: Accelerator,
    precision: str,
) -> tuple[Accelerator, str]:
    """The accelerator and the precision that a run may use; what it may not is noted on the model and told.

    Args:
        rows: some of the run's, as `few` chooses them.

    Raises InputError if rows see each other, if a rate of the recipe reaches nothing, and if the recipe asks for bf16
    where that computes something else.
    """
    model.left_out = frozenset()
    # A model that is to be sharded may be too large for one device.
    trial = Trial(task, model if recipe.shard else model.to(machine.device), rows, pad_id, recipe.batch_rows)
    with undisturbed(model):
        model.train()
        trial.check_rates(recipe)
        model.eval()
        with torch.no_grad():
            trial.check_rows_apart()
        left_out, unused = trial.different(precision)
        model.train()
        model.left_out = frozenset(left_out)
        once, found = trial.drawn_once(recipe)
    give_back_memory()
    left_out |= set() if once else {"cheap dropout"}
    (model.left_out,) = broadcast_object_list([frozenset(left_out)])
    _tell(model, recipe)
    if "bf16" in model.left_out:
        machine, precision = accelerator(recipe, "fp32")
    if unused or any(name not in found for name, p in model.named_parameters() if p.requires_grad):
        machine.ddp_handler = DistributedDataParallelKwargs(find_unused_parameters=True)
    return machine, precision


def few(rows: Dataset, lengths: np.ndarray, terms: np.ndarray) -> list[dict]:
    """The shortest row and the next longer one, of those that add to the loss.

    The longer one is of odd length if any is: some models read pieces of 2^n tokens, and a row that is packed behind a
    whole number of them would not show that they cross its start.

    Args:
        lengths, terms: of each row, shape (N,).
    """
    order = [int(row) for row in np.argsort(lengths, kind="stable") if terms[row]]
    longer = [row for row in order if lengths[row] > lengths[order[0]]] or order[-1:]
    return [rows[next((row for row in longer if lengths[row] % 2), longer[0])], rows[order[0]]]


@contextmanager
def undisturbed(model: nn.Module) -> Iterator[None]:
    """Afterwards random states, modes, gradients and buffers are what they were, also after an error."""
    states, modes = (
        (random.getstate(), np.random.get_state()),
        [(module, module.training) for module in model.modules()],
    )
    gradients = [(parameter, parameter.grad) for parameter in model.parameters()]
    buffers = [(buffer, buffer.clone()) for buffer in model.buffers()]
    model.zero_grad()
    try:
        with torch.random.fork_rng():
            yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])
        for module, training in modes:
            module.training = training
        for parameter, gradient in gradients:
            parameter.grad = gradient
        with torch.no_grad():
            for buffer, before in buffers:
                buffer.copy_(before)


@contextmanager
def _forward_in_bf16(model: nn.Module, device: torch.device) -> Iterator[None]:
    """The model computes in bf16 and the task around it does not, as accelerate prepares a model."""
    own = vars(model).get("forward")  # of an instance that somebody has prepared before
    model.forward = torch.autocast(device.type, torch.bfloat16)(model.forward)
    try:
        yield
    finally:
        del model.forward  # and the method of its class is seen again
        if own is not None:
            model.forward = own


def _equal(found: float, expected: float) -> bool:
    """Whether two losses are equal up to the order of sums; one that is not finite is left to the loop, which tells."""
    return not np.isfinite(expected) or abs(found - expected) <= EQUAL * max(abs(expected), 1.0)


def _tell(model: nn.Module, recipe: Recipe) -> None:
    """One warning for what is left out; InputError if the recipe asks for it."""
    if "bf16" in model.left_out and recipe.precision == "bf16":
        raise InputError(f"bf16 does not compute in this model ({family(model)}) what fp32 does; take precision fp32")
    if model.left_out:
        names = " and ".join(sorted(model.left_out))
        warnings.warn(
            f"{names} would change what this model ({family(model)}) computes, so training does without: the result is "
            "the same, the time or the memory is more",
            stacklevel=4,
        )
