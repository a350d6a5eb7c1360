"""The settings of a training run, each with its usual range and source."""

import math
from dataclasses import asdict, dataclass, fields

from helpers.errors import InputError

# For each field: is the value good, and the rule in words for the message.
_RULES = {
    "learning_rate": (lambda v: 0 < v < 1, "must lie above 0 and below 1; encoders usually take 1e-5 to 2e-4"),
    "epochs": (lambda v: v >= 1, "must be at least 1; usual are 2 to 5"),
    "batch_rows": (lambda v: v >= 1, "must be at least 1; usual are 16 to 64"),
    "batch_tokens": (lambda v: v >= 1, "must be at least 1; it bounds memory, not quality"),
    "accumulate": (lambda v: v >= 1, "must be at least 1; raise it if memory runs out"),
    "warmup": (lambda v: 0 <= v < 1, "must be a share of all steps, from 0 to below 1"),
    "schedule": (lambda v: v in ("linear", "cosine", "constant"), "must be linear, cosine or constant"),
    "weight_decay": (lambda v: v >= 0, "must be at least 0; usual are 0 to 0.1"),
    "clip": (lambda v: v > 0, "must be above 0; float('inf') turns clipping off"),
    "dropout": (lambda v: v is None or 0 <= v < 1, "must be None or a share from 0 to below 1"),
    "attention_dropout": (lambda v: v is None or 0 <= v < 1, "must be None or a share from 0 to below 1"),
    "trainable": (
        lambda v: v in ("all", "head") or (isinstance(v, int) and v > 0),
        "must be all, head, or the number of top layers to train",
    ),
    "head_learning_rate": (lambda v: v is None or 0 < v < 1, "must be None or lie above 0 and below 1"),
    "precision": (lambda v: v in ("auto", "fp32", "bf16"), "must be auto, fp32 or bf16"),
    "evaluations": (lambda v: v >= 1, "must be at least 1 an epoch"),
    "patience": (lambda v: v is None or v >= 1, "must be None or at least 1 evaluation"),
    "checkpoint_steps": (lambda v: v >= 1, "must be at least 1"),
    "seed": (lambda v: 0 <= v < 2**32, "must lie from 0 to 4294967295"),
}


@dataclass(frozen=True)
class Recipe:
    """How to train; a value outside its range raises InputError with the rule.

    Attributes:
        learning_rate: peak step size of AdamW. The default suits the small packaged encoder; BERT-base takes 2e-5 to
            5e-5 (Devlin et al. 2019).
        epochs: passes over the training rows, 2 to 4 (Devlin et al. 2019).
        batch_rows: rows of one optimiser step, over all processes and micro-batches; 16 or 32 (Devlin et al. 2019).
        batch_tokens: at most so many tokens in one step, padding included; long rows then come in smaller batches.
            4096 to 65536, as memory allows (our choice).
        accumulate: micro-batches into which each process cuts its part of a step, to save memory. The step stays the
            same: the loss is divided by the supervised terms of the whole step (`eq-normalisation`). 1 to 8 (our
            choice).
        warmup: share of all steps over which the learning rate rises from 0; 0.06 to 0.1 (Liu et al. 2019).
        schedule: how the learning rate falls after that: `linear` to 0 (Devlin et al. 2019), `cosine` to 0 (Loshchilov
            and Hutter 2017), or `constant`.
        weight_decay: decoupled decay (Loshchilov and Hutter 2019) of matrices, not of biases and norms; 0.01 (Devlin
            et al. 2019) to 0.1 (Liu et al. 2019).
        clip: largest norm of the gradient; 1.0 (Devlin et al. 2019, in their code).
        dropout: rate after embeddings and sub-layers, 0 to 0.1; None keeps the model's own, which is 0.1 in BERT
            (Devlin et al. 2019).
        attention_dropout: rate on attention weights, 0 to 0.1; None keeps the model's own, which is 0.1 in BERT (Devlin
            et al. 2019). At 0 PyTorch can use its fused attention kernel, which saves time and memory on long rows.
        trainable: `all`, `head` (the new layers alone), or how many top layers to train beside the head; with a
            quarter of them BERT keeps nine tenths of its quality (Lee, Tang and Lin 2019). What the caller froze
            (`requires_grad_(False)`) stays frozen in any case.
        head_learning_rate: peak step size of the new layers, 1 to 10 times that of the body (our choice; that upper
            layers take larger steps is from Howard and Ruder 2018). None means that of the body.
        precision: `auto` takes `bf16` (Kalamkar et al. 2019) where the processor computes it natively, else `fp32`;
            weights stay in fp32 (Micikevicius et al. 2018).
        evaluations: how often an epoch is interrupted to score the validation rows, evenly spaced; the last is at
            its end. 1 to 10 (our choice).
        patience: stop after so many evaluations without a better score; None trains to the end. 3 to 6 pay best for
            their time (Prechelt 1998, who counts rises of the error in a row).
        checkpoint_steps: steps between two checkpoints, where an output folder is given. 50 to 500 (our choice): a
            run that is killed repeats no more than these.
        seed: fixes the order of rows and every random draw of training; 0 to 4294967295. Scores differ from seed to
            seed, so compare several (Dodge et al. 2020).
    """

    learning_rate: float = 1e-4
    epochs: int = 3
    batch_rows: int = 32
    batch_tokens: int = 16384
    accumulate: int = 1
    warmup: float = 0.1
    schedule: str = "linear"
    weight_decay: float = 0.01
    clip: float = 1.0
    dropout: float | None = None
    attention_dropout: float | None = None
    trainable: str | int = "all"
    head_learning_rate: float | None = None
    precision: str = "auto"
    evaluations: int = 1
    patience: int | None = None
    checkpoint_steps: int = 200
    seed: int = 0

    def __post_init__(self):
        for field in fields(self):
            value, (good, rule) = getattr(self, field.name), _RULES[field.name]
            try:
                valid = not isinstance(value, bool) and good(value)
            except TypeError:
                valid = False
            if field.type is int and not isinstance(value, int):
                valid = False
            if not valid:
                raise InputError(f"{field.name} {value!r} of the recipe {rule}")

    def to_dict(self) -> dict:
        """The fields as a dictionary, from which `Recipe(**...)` makes the same recipe."""
        return asdict(self)

    def learning_rate_at(self, step: int, steps: int) -> float:
        """Share of the peak learning rate at `step` (from 0) of `steps`, between 0 and 1."""
        rising = round(self.warmup * steps)
        if step < rising:
            return (step + 1) / rising
        if self.schedule == "constant":
            return 1.0
        left = (steps - step) / max(1, steps - rising)  # from 1 at the peak to just above 0 at the last step
        return left if self.schedule == "linear" else 0.5 * (1 - math.cos(math.pi * left))
