"""Results that take longer than a notebook may: how a chapter reads them.

One JSON object a line in `helpers/book/results/<experiment>.jsonl`, shipped in the package, so that a notebook in Colab
reads them without the repository. `make results` writes them (`experiments/recording.py`).

    curve = ledger.read("reviews-curve")
    tuned = curve.where(system="fine-tuned", train_rows=500)
    evaluation.interval(tuned.correct())
    tuned.recipe()
"""

import base64
import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from helpers.data.corpus import DataCard
from helpers.errors import InputError
from helpers.training.recipe import Recipe

HIGHEST = 65_535  # counts are kept as whole numbers of 16 bits, and a probability as a share of this
ZERO_MARGIN = 32_768  # the count that stands for a margin of 0; one more is a hundredth of a nat
SCORE_STEPS = 10_000  # counts of a score from 0 to 1, such as ROUGE, are ten-thousandths
ROUGE = ("rouge1", "rouge2", "rougeL")
_FORMER = ("accumulate", "batch_tokens")  # settings of recorded recipes that `Recipe` no longer has


class SpanArrays(NamedTuple):
    """Spans that results gave to N test rows, shape (results, N) each: characters, and margin in nats."""

    start: np.ndarray
    end: np.ndarray
    margin: np.ndarray


@dataclass(frozen=True)
class Results:
    """Some results of one experiment, one row each.

    Attributes:
        frame: what was recorded: what identifies a result (system, train_rows, seed ...), its scores and its origin.
    """

    frame: pd.DataFrame

    def __len__(self) -> int:
        return len(self.frame)

    def __getitem__(self, column: str) -> pd.Series:
        self._check(column)
        return self.frame[column]

    def where(self, **equal: Any) -> "Results":
        """Those results that have all these values, in their order.

        A list or tuple means any of its values, None that nothing was recorded. Raises InputError for a column
        that does not exist, and if no result is left.
        """
        frame = self.frame
        for column, value in equal.items():
            self._check(column)
            rows = frame[_equal(frame[column], value)]
            if rows.empty:
                values = list(dict.fromkeys(_words(other) for other in frame[column]))
                raise InputError(f"no result has {column} {value!r}; there are {', '.join(values)}")
            frame = rows
        return Results(frame.reset_index(drop=True))

    def by(self, *columns: str) -> Iterator[tuple[Any, "Results"]]:
        """The results in groups of equal values, in the order in which these first appear, with their values.

        One column gives its value itself, several give tuples; None stands for a value that was not recorded. Changed
        settings are returned as text: `epochs 1`, and `recipe` where nothing was changed.
        """
        for column in columns:
            self._check(column)
        values = [[_key(value) for value in self.frame[column]] for column in columns]
        keys = list(zip(*values, strict=True)) if len(values) > 1 else values[0]
        for key in dict.fromkeys(keys):
            yield key, Results(self.frame[[other == key for other in keys]].reset_index(drop=True))

    def correct(self) -> np.ndarray:
        """Which test rows each result got right, shape (results, N), booleans."""
        packed = [np.frombuffer(bytes.fromhex(bits), dtype=np.uint8) for bits in self["correct"]]
        return np.stack([np.unpackbits(bits)[:n] for bits, n in zip(packed, self["n"], strict=True)]).astype(bool)

    def counts(self) -> np.ndarray:
        """The counts of each test row that each result recorded, shape (results, N, K)."""
        packed = [zlib.decompress(base64.b85decode(text)) for text in self["counts"]]
        rows = zip(packed, self["n"], strict=True)
        return np.stack([np.frombuffer(data, dtype="<u2").reshape(n, -1) for data, n in rows]).astype(np.int64)

    def span_counts(self, part: str, *, constrained: bool = False) -> np.ndarray:
        """Right, predicted and true spans of each sentence of one held-out set, shape (results, N, 3).

        Args:
            part: one of the sets that were scored, such as `test`.
            constrained: of tags that were decoded under the rules of BIO, where both ways were recorded.

        Raises InputError for a set or a way of decoding that was not recorded.
        """
        parts, counts = self["rows_of"].iloc[0], self.counts()  # the sets stand one below the other, equally long
        if part not in parts:
            raise InputError(f"there are no counts of '{part}'; there are {', '.join(parts)}")
        if constrained and counts.shape[2] < 6:
            raise InputError("these results were decoded in one way alone; leave out constrained=True")
        rows = np.split(counts, len(parts), axis=1)[parts.index(part)]
        return rows[..., 3:] if constrained else rows[..., :3]

    def spans(self) -> SpanArrays:
        """The span that each result gave to each test row, with its margin over no answer."""
        start, end, margin = np.moveaxis(self.counts(), -1, 0)
        return SpanArrays(start, end, (margin - ZERO_MARGIN) / 100)

    def probabilities(self) -> np.ndarray:
        """The probability that each result gave to each test row, (results, N), or to each of its classes, (..., C)."""
        shares = self.counts() / HIGHEST
        return shares[..., 0] if shares.shape[-1] == 1 else shares

    def texts(self) -> list[list[str]]:
        """What each result wrote for each test row."""
        packed = [zlib.decompress(base64.b85decode(text)) for text in self["texts"]]
        return [json.loads(data.decode("utf-8", "surrogatepass")) for data in packed]

    def rouge(self, name: str = "rougeL") -> np.ndarray:
        """ROUGE of each test row, from 0 to 1, shape (results, N)."""
        return self.counts()[..., ROUGE.index(name)] / SCORE_STEPS

    def recipe(self) -> Recipe:
        """The recipe of these results, with the seed of the first; results without training are left out.

        Raises InputError if they were made by several recipes, or nothing was trained.
        """
        recorded = [recipe for recipe in self.frame.get("recipe", []) if isinstance(recipe, dict)]
        if not recorded:
            raise InputError("none of these results was trained; choose others with where")
        recipes = [Recipe(**_todays(recipe)).to_dict() for recipe in recorded]
        differ = [
            key for key in recipes[0] if key != "seed" and any(other[key] != recipes[0][key] for other in recipes)
        ]
        if differ:
            raise InputError(f"these results differ in {', '.join(differ)}; choose those of one recipe with where")
        return Recipe(**recipes[0])

    def recipes(self, *keys: str) -> pd.DataFrame:
        """The settings of the trained results: one row for each value of `keys`, in the order of the results.

        Columns: the number of `seeds`, and each setting that differs in any of them from what `Recipe` takes by default
        for a small model and many rows.
        """
        default = Recipe().resolved(10**6, 10**6, lora=False, device="cpu").to_dict()
        trained = self.frame[[isinstance(recipe, dict) for recipe in self["recipe"]]]
        trained = trained.astype({"train_rows": int} if "train_rows" in trained else {})  # untrained made it floats
        recipes = [default | _todays(recipe) for recipe in trained["recipe"]]
        settings = pd.DataFrame(recipes, index=trained.index, dtype=object)
        settings = settings.drop(columns="seed")
        changed = [name for name in settings if any(value != default.get(name) for value in settings[name])]
        table = pd.concat([trained[[*keys, "seed"]], settings[changed]], axis=1)
        columns = {"seed": "nunique"} | dict.fromkeys(changed, _different)
        return table.groupby(list(keys), sort=False).agg(columns).rename(columns={"seed": "seeds"})

    def same_data(self, card: DataCard) -> bool:
        """Whether all these results were made on the very texts that `card` describes.

        They are the same on every machine at the scale `laptop`; at `gpu` other texts stand for them.
        """
        return bool((self["data_sha256"] == card.sha256[:12]).all())

    def _check(self, column: str) -> None:
        if column not in self.frame:
            raise InputError(f"these results have no column '{column}'; they have {', '.join(self.frame)}")


def experiments() -> list[str]:
    """The names of all experiments that have results."""
    return sorted(path.name.removesuffix(".jsonl") for path in _folder().iterdir() if path.name.endswith(".jsonl"))


def read(experiment: str) -> Results:
    """All results of an experiment. InputError if there are none."""
    path = _folder() / f"{experiment}.jsonl"
    if not path.is_file():
        raise InputError(f"the ledger holds no experiment '{experiment}'; it has {', '.join(experiments()) or 'none'}")
    return Results(pd.DataFrame([json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]))


def _equal(column: pd.Series, value: Any) -> np.ndarray:
    """Which values of a column are `value`, one of several values, or missing."""
    values = value if isinstance(value, list | tuple) else [value]
    return np.array([any(_missing(own) if v is None else own == v for v in values) for own in column], dtype=bool)


def _missing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and np.isnan(value))


def _key(value: Any) -> Any:
    """A recorded value that results can be grouped by."""
    if isinstance(value, dict):
        return ", ".join(f"{key} {item}" for key, item in value.items()) or "recipe"
    return None if _missing(value) else value


def _words(value: Any) -> str:
    """A recorded value in a message."""
    value = _key(value)
    return f"{value:g}" if isinstance(value, float) else str(value)


def _todays(recipe: dict) -> dict:
    """A recorded recipe without what `Recipe` no longer has: settings that bounded memory and changed nothing else."""
    return {name: value for name, value in recipe.items() if name not in _FORMER}


def _different(values: pd.Series) -> str:
    """All values that a group has, as text."""
    return " or ".join(f"{value:g}" if isinstance(value, float) else str(value) for value in values.unique())


def _folder():
    return resources.files("helpers.book").joinpath("results")
