"""The settings of a training run, each with its usual range and source."""

import math
from dataclasses import asdict, dataclass, fields, replace

from helpers.errors import InputError

# For each field: is the value good, and the rule in words for the message.
_RULES = {
    "learning_rate": (
        lambda v: v is None or 0 < v < 1,
        "must lie above 0 and below 1, or be None; encoders usually take 1e-5 to 2e-4",
    ),
    "epochs": (lambda v: v is None or v >= 1, "must be at least 1, or None; usual are 2 to 5, more for few rows"),
    "batch_rows": (lambda v: v >= 1, "must be at least 1; usual are 16 to 64"),
    "piece_tokens": (lambda v: v is None or v >= 1, "must be at least 1, or None; lower it if memory runs out"),
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
    "shard": (lambda v: True, "must be True or False"),
    "seed": (lambda v: 0 <= v < 2**32, "must lie from 0 to 4294967295"),
}
# The peak learning rate of a model of at most so many weights. The first is what both packaged models learn best with;
# BERT-base and BERT-large (110 and 340 million) are published with 2e-5 to 5e-5 (Devlin et al. 2019), and decoders of 7
# billion with 2e-5 (Taori et al. 2023).
LEARNING_RATES = ((200e6, 1e-4), (1e9, 5e-5), (math.inf, 2e-5))
LORA_FACTOR = 10  # LoRA takes about ten times the rate of full fine-tuning, at all sizes (Schulman et al. 2025)
STEPS, EPOCHS = 150, (3, 20)  # what epochs=None gives: at least so many steps, within so many passes
PIECE_TOKENS = {"cpu": 1024}  # by kind of device
GPU_PIECE_TOKENS = 16384


@dataclass(frozen=True)
class Recipe:
    """How to train; a value outside its range raises InputError with the rule.

    Three settings are None by default and then depend on the run: `resolved` puts the numbers in their place, and
    `Run.recipe` and the saved folder hold these.

    Attributes:
        learning_rate: peak step size of AdamW, 1e-5 to 1e-3. None goes by the weights of the model: 1e-4 up to 200
            million, as small BERTs take 3e-5 to 3e-4 (Turc et al. 2019), 5e-5 up to a billion, as BERT-large takes 2e-5
            to 5e-5 (Devlin et al. 2019), and 2e-5 above, as decoders of 7 billion do (Taori et al. 2023); ten times as
            much with LoRA (Schulman et al. 2025).
        epochs: passes over the training rows, 2 to 4 where these are many (Devlin et al. 2019). None takes as many as
            give at least 150 steps, from 3 to 20: few rows need many passes (Zhang et al. 2021), and the validation
            rows choose the best of them.
        batch_rows: rows of one optimiser step, over all processes and pieces; 16 or 32 (Devlin et al. 2019).
        piece_tokens: a step is cut into pieces of at most so many tokens, padding included and at least one row each,
            which go through the model one after the other: memory depends on this, not on `batch_rows`. The step stays
            the same: the loss is divided by the supervised terms of the whole step (`eq-normalisation`). 512 to 65536
            (our choice); None takes 1024 on a CPU and 16384 on a GPU. Rows that a task packs are counted before.
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
        shard: several processes keep parts of one copy of weights, gradients and moments instead of a copy each
            (Rajbhandari et al. 2020), for what is too large for one GPU, such as all of 7 billion weights. The steps
            are the same.
        seed: fixes the order of rows and every random draw of training; 0 to 4294967295. Scores differ from seed to
            seed, so compare several (Dodge et al. 2020).
    """

    learning_rate: float | None = None
    epochs: int | None = None
    batch_rows: int = 32
    piece_tokens: int | None = None
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
    shard: bool = False
    seed: int = 0

    def __post_init__(self):
        for field in fields(self):
            value, (good, rule) = getattr(self, field.name), _RULES[field.name]
            try:
                valid = isinstance(value, bool) == (field.type is bool) and good(value)
            except TypeError:
                valid = False
            if field.type in (int, int | None) and not isinstance(value, int | None):
                valid = False
            if not valid:
                raise InputError(f"{field.name} {value!r} of the recipe {rule}")

    def to_dict(self) -> dict:
        """The fields as a dictionary, from which `Recipe(**...)` makes the same recipe."""
        return asdict(self)

    def resolved(self, rows: int, weights: int, *, lora: bool, device: str) -> "Recipe":
        """This recipe with numbers for what it leaves to the run.

        Args:
            rows: encoded training rows.
            weights: parameters of the model, whether they train or not.
            lora: whether LoRA matrices train instead of them.
            device: the kind of device, such as cpu.
        """
        chosen = {
            "learning_rate": default_learning_rate(weights, lora=lora),
            "epochs": default_epochs(math.ceil(rows / self.batch_rows)),
            "piece_tokens": PIECE_TOKENS.get(device, GPU_PIECE_TOKENS),
        }
        return replace(self, **{name: value for name, value in chosen.items() if getattr(self, name) is None})

    def learning_rate_at(self, step: int, steps: int) -> float:
        """Share of the peak learning rate at `step` (from 0) of `steps`, between 0 and 1."""
        rising = round(self.warmup * steps)
        if step < rising:
            return (step + 1) / rising
        if self.schedule == "constant":
            return 1.0
        left = (steps - step) / max(1, steps - rising)  # from 1 at the peak to just above 0 at the last step
        return left if self.schedule == "linear" else 0.5 * (1 - math.cos(math.pi * left))


def default_learning_rate(weights: int, *, lora: bool) -> float:
    """The peak learning rate for a model of so many weights, by `LEARNING_RATES`."""
    rate = next(rate for most, rate in LEARNING_RATES if weights <= most)
    return rate * LORA_FACTOR if lora else rate


def default_epochs(steps: int) -> int:
    """The passes of `steps` steps each that give at least `STEPS` steps, within `EPOCHS`."""
    fewest, most = EPOCHS
    return min(most, max(fewest, math.ceil(STEPS / steps)))
