"""The options of the shell that a wing declares. They need no import of PyTorch, so `helpers --help` is fast.

Each wing has a file `options.py` with three tuples of `Option`: COLUMNS name the columns of labelled rows, INPUT those
of them that rows without labels have as well, SETTINGS are fields of the task. An option's name is the keyword of the
wing's `files` functions, or of the task.
"""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Option:
    """One option of the shell: its name, what it means, and its default."""

    name: str
    about: str
    default: Any = None
    kind: type = str
    choices: tuple[str, ...] | None = None
    metavar: str | None = None

    @property
    def flag(self) -> str:
        """The option as it is typed, such as `--max-length`."""
        return "--" + self.name.replace("_", "-")


def column(name: str, about: str, default: str | None = "") -> Option:
    """The option that names a column; its default is its own name."""
    default = name if default == "" else default
    return Option(name, about + (f" (default: {default})" if default else ""), default, metavar="COLUMN")


GROUP = column("group", "rows with the same value here stay in one split", None)

LORA_RANK = Option("lora_rank", "train LoRA matrices of this rank, not the weights", kind=int, metavar="N")

FORMAT = Option(
    "format",
    "shape of the rows (default: found out)",
    choices=("columns", "alpaca", "sharegpt", "turns", "squad", "doccano", "conll", "conllu"),
)
