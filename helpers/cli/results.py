"""`helpers results`: what the book has recorded, in the shell."""

import json
from importlib import resources

from helpers.errors import InputError

MEASURED = ("seconds", "cpu_seconds", "generation_seconds", "rows_per_second", "tokens_per_second", "others_used")
MEASURED += ("peak_memory_gb", "threshold", "trained_share")
# How a result was made and what it kept of each row; what else is no fraction says of what kind it is.
MADE = ("commit", "lock", "versions", "hardware", "day", "data", "data_sha256", "model_sha256", "recipe", "precision")
MADE += (
    "correct",
    "counts",
    "texts",
    "some_answers",
    "transitions",
    "trials",
    "parts",
    "rows_of",
    "epoch",
    "general_n",
    "bytes",
    "cpu_ms",
)


def add(verb) -> None:
    """Add the arguments of `helpers results`."""
    verb.add_argument("what", choices=("list", "show"), help="all experiments, or the results of one")
    verb.add_argument("name", nargs="?", help="an experiment, for 'show'")


def run(options) -> None:
    """Print the experiments, or one of them as a table."""
    import pandas as pd

    if options.what == "list":
        print(pd.DataFrame(map(summary, names())).to_string(index=False))
        return
    if options.name not in names():
        problem = f"there is no experiment '{options.name}'" if options.name else "the name of an experiment is missing"
        raise InputError(f"{problem}; 'helpers results show' takes {', '.join(names())}")
    shown = table(lines(options.name)).astype(object)
    print(shown.where(shown.notna(), "").to_string(index=False, float_format="{:.3f}".format))


def names() -> list[str]:
    """All experiments that have results."""
    return sorted(path.name.removesuffix(".jsonl") for path in _folder().iterdir() if path.name.endswith(".jsonl"))


def lines(name: str) -> list[dict]:
    """The results of an experiment, as they are recorded."""
    text = _folder().joinpath(f"{name}.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def summary(name: str) -> dict:
    """An experiment in a line: how many results of which systems, on how many test rows, and when."""
    rows = lines(name)
    tested = sorted({row["n"] for row in rows})
    return {
        "experiment": name,
        "results": len(rows),
        "seeds": len({row.get("seed") for row in rows}),
        "test rows": " to ".join(f"{n:,}" for n in dict.fromkeys([tested[0], tested[-1]])),
        "day": max(row["day"] for row in rows),
        "systems": "; ".join(dict.fromkeys(str(row.get("system", name)) for row in rows)),
    }


def table(rows: list[dict]):
    """A line for each kind of result: its seeds, test rows, and of each score the mean, the lowest and the highest."""
    import pandas as pd

    kinds = {}
    for row in rows:
        kinds.setdefault(json.dumps(_kind(row), sort_keys=True), []).append(row)
    return pd.DataFrame([_line(group) for group in kinds.values()]).convert_dtypes(convert_floating=False)


def _kind(row: dict) -> dict:
    settings = {key: value for key, value in row.items() if not isinstance(value, float) or key == "misspelled"}
    return {key: value for key, value in settings.items() if key not in (*MADE, "seed", "n")}


def _line(group: list[dict]) -> dict:
    first = group[0]
    kind = {key: _words(value) for key, value in sorted(_kind(first).items(), key=lambda item: item[0] != "system")}
    scores = [key for key, value in first.items() if isinstance(value, float) and key not in (*MEASURED, "misspelled")]
    line = kind | {"seeds": len(group), "n": first["n"]}
    for score in scores:
        values = [row[score] for row in group]
        line[score] = sum(values) / len(values)
        if len(values) > 1:
            line |= {"lowest": min(values), "highest": max(values)} if len(scores) == 1 else {}
    return line


def _words(value: object) -> object:
    if isinstance(value, dict):
        return ", ".join(f"{key} {part}" for key, part in value.items()) or "recipe"
    return value


def _folder():
    return resources.files("helpers.book").joinpath("results")
