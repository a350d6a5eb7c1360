"""What an exported file answers beside PyTorch, row by row, and whether that is near enough to give it away."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from helpers import evaluation
from helpers.evaluation import Difference
from helpers.export.formats import Format
from helpers.saving.folder import plain
from helpers.saving.manifest import digest
from helpers.tasks.base import Task

VERSION = 2  # of the certificate; the first had the hash of the exported file alone


@dataclass(frozen=True)
class Certificate:
    """How an exported file and PyTorch answer the same labelled rows.

    Attributes:
        form: the format and its bounds.
        runtime: the program that ran the file, with its version.
        data: the file of the rows.
        n: the number of rows.
        equal: the share of rows with the same answer.
        largest: the largest difference of a logit, or of the log-probability of a token that was written, in nats.
        metric: the name of the score.
        score: of the exported file.
        difference: the exported file's score minus PyTorch's, on the same rows.
        scale: the largest value of the score.
        faults: sentences about what a file must not do at all, such as reading other tokens.
    """

    form: Format
    runtime: str
    data: str
    n: int
    equal: float
    largest: float
    metric: str
    score: float
    difference: Difference
    scale: float = 1.0
    faults: tuple[str, ...] = ()

    def refusal(self) -> str | None:
        """Why the file must not be given away, as a sentence; None if it may."""
        if self.faults:
            return self.faults[0]
        if self.form.nats is not None and not self.largest <= self.form.nats:
            return f"it is {self.largest:.3g} nats off on one of {rows_told(self.n)}, and {self.form.nats} are allowed"
        if self.equal < self.form.equal:
            return f"{self.equal:.1%} of the answers are PyTorch's, and {self.form.equal:.0%} must be"
        low, bound = self.difference.low, -self.form.loss * self.scale
        if self.form.rounded and not low > bound:
            return (
                f"its {self.metric} on {rows_told(self.n)} is {self.difference} more than PyTorch's, and the lower end "
                f"must be above {bound:g}"
            )
        return None

    def to_dict(self, folder: Path) -> dict:
        """All of it, ready for JSON: with the hash of each file of the exported folder, and a hash of the whole."""
        bounds = (
            {"nats": self.form.nats, "equal": self.form.equal}
            if not self.form.rounded
            else {"score_difference_above": -self.form.loss * self.scale}
        )
        told = {name: value for name, value in asdict(self).items() if name not in ("form", "faults", "scale")}
        file = folder / self.form.file
        about = {"version": VERSION, "format": self.form.name, "file": file.name, "bytes": file.stat().st_size}
        files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
        about |= {
            "sha256": digest(file),
            "files": {each.relative_to(folder).as_posix(): digest(each) for each in files},
        }
        content = about | told | {"bounds": bounds}
        return content | {"seal": seal(content)}

    def sentence(self) -> str:
        """What was found, for people."""
        return (
            f"{self.equal:.1%} of the answers on {rows_told(self.n)} of {self.data} are PyTorch's; {self.metric} "
            f"{self.score:.3f}, {self.difference} more than PyTorch's; largest difference {self.largest:.2g} nats "
            f"({self.runtime})"
        )


def rows_told(count: int) -> str:
    """A number of rows in words."""
    return f"{count:,} {'row' if count == 1 else 'rows'}"


def seal(content: dict) -> str:
    """The sha256 of a certificate without its seal, however it is laid out."""
    bare = {name: value for name, value in plain(content).items() if name != "seal"}
    return hashlib.sha256(json.dumps(bare, sort_keys=True, allow_nan=False).encode()).hexdigest()


def compared(task: Task, theirs: Sequence, ours: Sequence, references: Sequence, groups: evaluation.Groups) -> dict:
    """What a certificate says of the score: that of an exported file, and how much it is above PyTorch's."""
    rows = [task.per_row(predictions, references) for predictions in (theirs, ours)]
    return {
        "metric": task.selection_metric,
        "score": task.score(theirs, references)[task.selection_metric],
        # Not told the end of chrF's scale: where no text differs, nothing tells the size of a difference, and the
        # interval of a share would take the largest.
        "difference": evaluation.paired(*rows, score=task.from_counts, groups=groups),
    }
