"""Every family of transformers, tiny and at random: a shortcut gives what the plain way gives, or is told or refused;
and what the pretrained body lacks trains, in each of them."""

import re
import warnings

import pytest
import tiny
import torch
from families import TASKS, built, encoded
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from transformers import AutoModel
from transformers.models.auto import modeling_auto

from helpers.errors import InputError
from helpers.models.fast import RandomBits, cheap_dropout
from helpers.tasks.base import Task
from helpers.training import probes
from helpers.training.device import accelerator
from helpers.training.optimizer import new_parameters, parameter_groups

FAMILIES = {
    "causal": modeling_auto.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES,
    "classification": modeling_auto.MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES,
    "tagging": modeling_auto.MODEL_FOR_TOKEN_CLASSIFICATION_MAPPING_NAMES,
    "extraction": modeling_auto.MODEL_FOR_QUESTION_ANSWERING_MAPPING_NAMES,
}
# A family whose body a classifier has tried is not tried again with the heads of the other two tasks: all four mappings
# whole take more than four minutes.
CASES = [
    (kind, family)
    for kind, families in FAMILIES.items()
    for family in families
    if kind in ("causal", "classification") or family not in FAMILIES["classification"]
]
# Families of which no small model is built, or computed from tokens alone, without a GPU and further packages. Names
# may only go: one that can be tried fails its test until it does.
UNTRIED = {
    "causal": {
        *("blt", "dbrx", "dots3_note", "dots3_note_text", "gemma3n", "gemma3n_text", "gemma4_assistant"),
        *("gemma4_unified_assistant", "musicgen", "musicgen_melody", "prophetnet", "qwen4_exp", "qwen4_exp_text"),
        *("xlstm", "zamba"),
    },
    "classification": {"layoutlmv2", "zamba"},
    "tagging": {"bros"},
    "extraction": {"lxmert"},
}
FIRST = [[5, 9, 14, 22, 31, 40, 7, 26], [33, 12, 50, 8, 27, 45]]
SECOND = [[41, 6, 30, 11, 25, 13], [52, 17, 44, 29, 36, 20, 48, 10], [19, 28, 57, 35]]


def plain_loss(kind: str, model: nn.Module, row: dict) -> Tensor:
    """The loss of a row alone: the model reads its tokens and nothing else, and the task has no part in it."""
    ids = torch.tensor([row["input_ids"]])
    output = model(input_ids=ids)
    if kind == "causal":
        return cross_entropy(output.logits[0, :-1].float(), ids[0, 1:], reduction="sum")
    if kind == "classification":
        return cross_entropy(output.logits, torch.tensor([row["labels"]]))
    if kind == "tagging":
        return cross_entropy(output.logits[0], torch.tensor(row["labels"]), reduction="sum")
    ends = (output.start_logits, row["start"]), (output.end_logits, row["end"])
    return sum(cross_entropy(logits, torch.tensor([place])) for logits, place in ends) / 2


def gradients(model: nn.Module, loss: Tensor) -> dict[str, Tensor]:
    model.zero_grad()
    loss.backward()
    return {name: parameter.grad for name, parameter in model.named_parameters() if parameter.grad is not None}


def tried(kind: str, family: str) -> nn.Module | None:
    """A tiny model of the family, or None if it cannot be built, is not small, or does not compute."""
    try:
        model = built(kind, family)
        if model.num_parameters() > 5e6:
            return None
        with torch.no_grad():
            (row, _), task = encoded(kind, FIRST), TASKS[kind][0].apart()
            plain_loss(kind, model, row), task.loss(model, task.collate([row], 0))
    except Exception:
        return None
    return model


def proved(kind: str, task: Task, model: nn.Module) -> tuple[str, bool]:
    """What is told of the rows in one batch (equal, padding, refused), and whether bf16 is left in."""
    inputs = encoded(kind, FIRST), 0, tiny.recipe(batch_rows=8), accelerator(tiny.recipe(), "fp32")[0], "bf16"
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        try:
            _, precision = probes.prove(task, model, *inputs)
        except InputError:
            return "refused", False
    sentences = [str(warning.message) for warning in told]
    assert all(any(name in sentence for sentence in sentences) for name in model.left_out)
    assert (precision == "bf16") == ("bf16" not in model.left_out)
    return "padding" if any("padding changes" in each for each in sentences) else "equal", precision == "bf16"


def check_shortcuts(kind: str, task: Task, model: nn.Module, bf16: bool) -> None:
    """On rows that the probe did not see, whatever it left in gives the loss and the gradients of the plain way."""
    batch = task.collate(encoded(kind, SECOND), 0)
    loss = task.loss(model.eval(), batch)
    plain = gradients(model, loss) if model.config.model_type != "reformer" else {}  # it has none in evaluation mode
    if plain and "fast path" not in model.left_out:
        with task.fast_path(model):
            fast = gradients(model, task.loss(model, batch))
        assert fast.keys() == plain.keys()
        for name, gradient in plain.items():
            torch.testing.assert_close(fast[name], gradient, atol=1e-3, rtol=1e-3)
    if bf16:
        with torch.autocast("cpu", torch.bfloat16), torch.no_grad():
            assert task.loss(model, batch).item() == pytest.approx(loss.item(), rel=0.2, abs=0.2)
    drawn = []
    bits = RandomBits()
    draw, bits.draw = bits.draw, lambda shape: drawn.append(shape) or draw(shape)
    with cheap_dropout(model.train(), bits):
        loss = task.loss(model, batch)
        before = len(drawn)
        loss.backward()
    assert len(drawn) == before  # backward repeats none, so its gradient is that of the loss


def outcome(kind: str, model: nn.Module) -> list[str]:
    """What is told of a model with the task of a kind; if rows are not to be packed, also with rows apart."""
    results, rows = [], encoded(kind, SECOND)
    for task in dict.fromkeys((TASKS[kind][0], TASKS[kind][0].apart())):
        told, bf16 = proved(kind, task, model)
        results.append(told)
        if told == "refused":
            continue
        model.eval()
        with torch.no_grad():
            alone = sum(plain_loss(kind, model, row).item() for row in rows)
            together = task.loss(model, task.collate(rows, 0)).item()
        assert told == "padding" or together == pytest.approx(alone, rel=2e-5, abs=2e-5)
        check_shortcuts(kind, task, model, bf16)
        return results + sorted(model.left_out)
    return results


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "family"), CASES)
def test_no_shortcut_computes_something_else_in_silence(kind, family):
    model = tried(kind, family)
    assert (model is None) == (family in UNTRIED[kind])
    if model is None:
        return
    outcome(kind, model)
    if kind != "causal":
        check_what_trains(kind, model)


# What trains


def check_what_trains(kind: str, model: nn.Module) -> None:
    """With the head alone, and with the top layer, exactly what AutoModel of the same configuration lacks is new."""
    prefix = f"{model.base_model_prefix}."
    model.config.architectures = model.config.architectures or []  # of which AutoModel chooses for a few families
    body = {f"{prefix}{name}" for name, _ in AutoModel.from_config(model.config).named_parameters()}
    names = {name for name, _ in model.named_parameters()}
    lacking = names - body
    new = new_parameters(model, TASKS[kind][0])
    assert trained(model, "head", new) == lacking
    for parameter in model.parameters():
        parameter.requires_grad_(True)
    try:
        found = trained(model, 1, new)
    except InputError:  # its layers are not one list, which is told
        return
    assert lacking <= found
    ((stack, top),) = {re.match(r"(.*?\.)(\d+)\.", name).groups() for name in found - lacking}
    places = [name.removeprefix(stack).split(".")[0] for name in names if name.startswith(stack)]
    assert int(top) == max(map(int, places))


# Bodies in one piece and nested, with their layers in one list and in several, with a pooler of their own and without
@pytest.mark.parametrize(
    "family", ["bert", "distilbert", "funnel", "gemma3", "gpt2", "gte", "nomic_bert", "perceiver", "xlnet"]
)
def test_what_the_pretrained_body_lacks_trains_and_no_more(family):
    check_what_trains("classification", built("classification", family))


def trained(model: nn.Module, trainable: str | int, new: frozenset[str]) -> set[str]:
    parameter_groups(model, tiny.recipe(trainable=trainable), new)
    return {name for name, parameter in model.named_parameters() if parameter.requires_grad}
