"""A model card for a saved model, in the format of the Hub: its data, recipe, scores with intervals, and limits."""

import json
from math import prod
from pathlib import Path

from huggingface_hub import EvalResult, ModelCard, ModelCardData
from safetensors import safe_open

from helpers.errors import InputError
from helpers.saved import AUTO_CLASSES

# What the Hub calls the tasks.
PIPELINES = {
    "classification": "text-classification",
    "extraction": "question-answering",
    "generation": "text-generation",
    "rewriting": "text2text-generation",
    "tagging": "token-classification",
}
TEMPLATE = """\
---
{metadata}
---

# {name}

A {architecture} of {parameters:.1f} million parameters, fine-tuned for {task} on the data set *{data}* with the package
`helpers`.

```python
from transformers import {auto_class}, AutoTokenizer

model = {auto_class}.from_pretrained("{name}")
tokenizer = AutoTokenizer.from_pretrained("{name}")
```

## Scores

On {n} test rows that were used for nothing else. `low` and `high` are the ends of a 95 % interval (bootstrap over
{drawn}); "last minus this" is what this model gains over the system of the line.

{ladder}

{verdict}

## Limits

- The scores hold for rows that are drawn like those of the test set, and for no others. Texts of another source, time
  or language need a test of their own (`helpers evaluate`).
- {limit}
- What the pretrained model has learnt from its texts, prejudice included, is still in it. Nobody has tested it for
  decisions about people.

## Data

{data_card}

## Recipe

Task settings:

{settings}

Training:

{recipe}
"""


def write(folder: str | Path) -> Path:
    """Write `README.md` into the folder of a saved model; returns its path.

    Raises InputError if the folder holds no such model, or a README.md already.
    """
    path = Path(folder) / "README.md"
    if path.exists():
        raise InputError(f"'{path}' exists already; move it away to have it written anew")
    card = build(folder)
    card.save(path)
    return path


def build(folder: str | Path) -> ModelCard:
    """The card of a saved model, from what `saved.save` wrote beside it; InputError if something is missing there."""
    folder = Path(folder)
    told = {name: _read(folder, name) for name in ("task", "recipe", "data_card", "scores", "config")}
    settings = dict(told["task"])
    task = settings.pop("name")
    ladder, data, name = told["scores"].get("ladder", []), told["data_card"], folder.resolve().name
    metadata = ModelCardData(
        library_name="transformers",
        pipeline_tag=PIPELINES[task],
        model_name=name,
        tags=["fine-tuned", task],
        eval_results=_results(task, data, told["scores"]) or None,
    )
    content = TEMPLATE.format(
        metadata=metadata.to_yaml(),
        name=name,
        architecture=told["config"].get("model_type", "transformer"),
        parameters=_parameters(folder) / 1e6,
        task=task,
        auto_class=AUTO_CLASSES[task].__name__,
        n=told["scores"].get("n", 0),
        drawn=f"their {told['scores']['groups']} groups" if "groups" in told["scores"] else "the rows",
        data=data["name"],
        ladder=_ladder(ladder),
        verdict=verdict(ladder),
        limit=_limit(task, settings),
        data_card=_table({key.replace("_", " "): value for key, value in data.items()}),
        settings=_table(settings),
        recipe=_table(told["recipe"]),
    )
    return ModelCard(content)


def verdict(ladder: list[dict]) -> str:
    """One sentence: does the last system of a ladder beat the best of the others by more than chance explains?"""
    if len(ladder) < 2:
        return "No baseline was scored on these rows, so nobody can tell how hard they are."
    value = next(key for key in ladder[0] if key != "system")
    rival = max(ladder[:-1], key=lambda row: row[value])
    gain = f"{rival['last minus this']:.3f} [{rival['gain low']:.3f}, {rival['gain high']:.3f}]"
    if rival["gain low"] > 0:
        return f"It is better than *{rival['system']}*, the best of the cheaper systems, by {gain}."
    if rival["gain high"] < 0:
        return f"It is worse than *{rival['system']}*, which costs less (difference {gain}): use that instead."
    return f"These rows cannot tell it from *{rival['system']}*, which costs less (difference {gain})."


def _limit(task: str, settings: dict) -> str:
    length = settings.get("max_length")
    if task == "extraction":
        return (
            f"Contexts are read in windows of {length} tokens. An answer is a piece of the context: it can be wrong, "
            "and it is never a summary or a yes or no."
        )
    if task == "classification":
        return (
            f"Of a text only the first {length} tokens are read. Each text gets one of the labels, "
            "also one that fits none."
        )
    if task in ("generation", "rewriting"):
        return (
            f"It writes at most {settings.get('max_new_tokens')} tokens. What it writes can be fluent and wrong, and "
            "nothing checks it."
        )
    return f"Of a row at most {length} tokens are read."


def _results(task: str, data: dict, scores: dict) -> list[EvalResult]:
    kinds = {"task_type": PIPELINES[task], "dataset_type": data["name"], "dataset_name": data["name"]}
    numbers = {key: value for key, value in scores.items() if isinstance(value, float)}
    return [EvalResult(**kinds, metric_type=key, metric_value=round(value, 4)) for key, value in numbers.items()]


def _ladder(rows: list[dict]) -> str:
    if not rows:
        return "No scores were saved with this model."
    head = list(rows[0])
    cells = [[f"{value:.3f}" if isinstance(value, float) else str(value) for value in row.values()] for row in rows]
    return "\n".join(["| " + " | ".join(line) + " |" for line in (head, ["---"] * len(head), *cells)])


def _table(values: dict) -> str:
    lines = [f"| {key} | {_cell(value)} |" for key, value in values.items()]
    return "\n".join(["| | |", "|---|---|", *lines])


def _cell(value) -> str:
    if isinstance(value, dict):
        return "; ".join(f"{key}: {_cell(item)}" for key, item in value.items()) or "none"
    if isinstance(value, list):
        shown = ", ".join(_cell(item) for item in value[:40])
        return shown + (f", ... ({len(value)} in all)" if len(value) > 40 else "")
    # A name of a label or a file may hold what Markdown takes for the end of a cell or of a line.
    return str(value).replace("|", "\\|").replace("\n", " ").replace("<", "&lt;")


def _parameters(folder: Path) -> int:
    total = 0
    for path in sorted(folder.glob("*.safetensors")):
        with safe_open(path, "pt") as weights:
            names = weights.keys()
            total += sum(prod(weights.get_slice(name).get_shape()) for name in names)
    return total


def _read(folder: Path, name: str) -> dict:
    try:
        return json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"'{folder}' is not a model that helpers has saved ({error}); give its folder") from error
