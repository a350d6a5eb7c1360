"""The forms that a trained model can be exported to: what each needs, what it can hold, and how far it may be off."""

from dataclasses import dataclass
from importlib.util import find_spec

from helpers.errors import InputError

DECODERS = ("generation",)
ENCODERS = ("classification", "multilabel", "tagging", "extraction")


@dataclass(frozen=True)
class Format:
    """One form of a model.

    Attributes:
        file: what the exported file is called.
        library: what runs it.
        tasks: the tasks whose models it can hold.
        modules: Python modules that must be there, of the optional extra `export` of pyproject.toml.
        rows: labelled rows that the file is tried on, or all if there are fewer.
        nats: the most that a logit or the log-probability of a token may differ from PyTorch's, on any row; None where
            the weights are rounded on purpose.
        equal: the least share of answers that must be PyTorch's.
        loss: how much worse than PyTorch's the score may be, on its own scale, by the lower end of the interval of the
            difference, as a share of that scale.
        weights: of a GGUF file, how its matrices are held.
    """

    name: str
    file: str
    library: str
    tasks: tuple[str, ...]
    modules: tuple[str, ...]
    rows: int = 200
    nats: float | None = None
    equal: float = 0.0
    loss: float = 0.02
    weights: str = ""

    @property
    def rounded(self) -> bool:
        """Whether the weights are rounded to 8 bits, so that the answers are judged and not the logits."""
        return self.nats is None


_GGUF = ("xllamacpp",)
_ONNX = ("onnx", "onnxruntime", "onnxscript")
FORMATS = {
    each.name: each
    for each in (
        Format("onnx", "model.onnx", "onnx", ENCODERS, _ONNX, nats=0.05, equal=0.99),
        Format("onnx-int8", "model.onnx", "onnx", ENCODERS, _ONNX, rows=1000),
        Format("gguf", "model.gguf", "gguf", DECODERS, _GGUF, nats=0.05, equal=0.9, weights="f16"),
        Format("gguf-q8", "model.gguf", "gguf", DECODERS, _GGUF, weights="q8_0"),
    )
}


def usable(name: str, task: str) -> Format:
    """The format of a name; InputError if it cannot hold models of this task, or a module that it needs is missing."""
    chosen = FORMATS[name]
    if task not in chosen.tasks:
        others = [other.name for other in FORMATS.values() if task in other.tasks]
        remedy = f"choose {' or '.join(others)}" if others else "no format of 'helpers export' does"
        raise InputError(f"'{name}' holds no models for {task}; {remedy}")
    check_modules(chosen.modules, f"'helpers export --to {name}'")
    return chosen


def check_modules(modules: tuple[str, ...], use: str) -> None:
    """InputError if one of the modules is missing that a use needs."""
    for module in modules:
        if find_spec(module) is None:
            raise InputError(f"'{module}' is missing; {use} needs pip install {' '.join(modules)}")
