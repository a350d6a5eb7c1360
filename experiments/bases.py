"""LoRA beside a frozen base in 32, 16 and 4 bits: the bytes that are counted and held, and what is learnt in 100 steps.

Products are computed in fp32 beside each base while it learns, so that nothing differs but the rounding of the base.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import numpy as np
import torch
from torch import nn

from experiments.bugs import LOSS_STEPS
from helpers import Generation, Recipe, Run, corpora, fit, models, sample
from helpers.book.peak_memory import peak_bytes
from helpers.book.widgets.cost import BODIES
from helpers.corpora import parameters
from helpers.data import framed
from helpers.data.batching import on_device
from helpers.maths import cost
from helpers.models import stored
from helpers.models.fast import RandomBits, cheap_dropout, cheap_parts_again

CORPUS, MODEL = "parameters", "decoder"
BODY = BODIES["packaged decoder"]
SEEDS = range(3)
ROWS, RANK = 400, 8  # 100 steps of four rows
PARTS = {"train": ROWS, "test": 200}
RECIPE = {"learning_rate": 1e-3, "epochs": 1, "batch_rows": 4, "precision": "fp32"}
STEP = (4, 128)  # rows and tokens of the step whose memory is measured
# What the base is kept in, and what the count calls a run beside it; that of the products is what a run would take.
COUNTED = dict(zip(stored.DTYPES, (cost.PRECISIONS[0], *cost.PRECISIONS[2:]), strict=True))


def base_dtypes() -> Iterator[tuple[dict, Callable]]:
    """Losses of the steps and of test rows, and bytes, by what the base is kept in."""
    for seed in SEEDS:
        for dtype in stored.DTYPES:
            about = {"system": "lora", "train_rows": ROWS, "seed": seed, "change": {"base_dtype": dtype}}
            yield about, lambda dtype=dtype, seed=seed: learnt(dtype, seed) | memory(dtype)


EXPERIMENTS = {"base-dtypes": base_dtypes}


def recipe(about: dict) -> dict:
    """The settings of a run; what changes is the task's."""
    return RECIPE | {"seed": about["seed"]}


def learnt(dtype: str, seed: int) -> dict:
    """The loss of each step, and of each test row a token's."""
    data = corpora.load(CORPUS).data
    train, test = (framed(sample(data[part], n, seed), parameters.FRAME) for part, n in PARTS.items())
    task = Generation(template="plain", lora_rank=RANK, base_dtype=dtype)
    made = Recipe(**RECIPE, seed=seed)
    run = fit(task, task.build(seed=seed), models.tokenizer("decoder"), train, recipe=made)
    losses = row_losses(run, test)
    kept = np.rint(losses[:, None] * LOSS_STEPS).astype(int)  # (N, 1)
    scores = {"loss": float(losses.mean()), "n": len(losses), "counts": kept, "recipe": run.recipe.to_dict()}
    return scores | {"precision": run.precision, "losses": run.history["loss"].round(5).tolist()}


def row_losses(run: Run, rows) -> np.ndarray:
    """Mean -log p of the tokens of each row's completion, in nats, (N,)."""
    encoded, pad = run.encode(rows), run.tokenizer.pad_token_id
    with torch.no_grad():
        sums = [run.task.loss(run.model, on_device(run.task.collate([row], pad), run.model.device)) for row in encoded]
    return torch.stack(sums).cpu().numpy() / run.task.loss_terms(encoded)


def memory(dtype: str) -> dict:
    """Bytes that are held and counted: of the base, of what trains, and of what a step adds to them.

    The count leaves norms and biases out, and what the attention of the machine's own kernels takes.
    """
    task = Generation(template="plain", lora_rank=RANK, base_dtype=dtype)
    model = task.build().train()
    trained = [weight for weight in model.parameters() if weight.requires_grad]
    optimizer = torch.optim.AdamW(trained)
    counted = cost.fine_tuning(BODY, STEP[0], STEP[1], STEP[0] * STEP[1], COUNTED[dtype], RANK)
    measured = {"step": _step(model, half=dtype != "fp32")}
    optimizer.step()
    moments = [t for own in optimizer.state.values() for t in own.values() if t.ndim]
    beside = _bytes(trained)
    measured |= {"base": _held(model) - beside, "optimizer": _bytes([*moments, *(w.grad for w in trained)])}
    expected = {"base": counted.weights - cost.FLOAT * counted.trained, "optimizer": counted.optimizer}
    expected |= {"step": counted.activations + counted.scores + counted.copies}
    return {"bytes": measured, "counted": expected}


def _step(model: nn.Module, *, half: bool) -> int:
    """The bytes that a forward and a backward pass add at most to weights and gradients."""
    for weight in model.parameters():
        weight.grad = torch.zeros_like(weight) if weight.requires_grad else None
    ids = torch.zeros(*STEP, dtype=torch.long, device=model.device)  # (B, T)

    def both() -> None:
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            loss = model(input_ids=ids, labels=ids).loss
        loss.backward()

    with ExitStack() as stack:
        stack.enter_context(cheap_dropout(model, RandomBits()))
        stack.enter_context(cheap_parts_again(model))
        return peak_bytes(both)


def _held(model: nn.Module) -> int:
    scales = [module.scales for module in model.modules() if isinstance(module, stored.StoredIn4Bits)]
    return _bytes([*model.parameters(), *scales])


def _bytes(tensors) -> int:
    return sum(tensor.nbytes for tensor in tensors)
