"""A model card for a saved model, in the format of the Hub: its data, recipe, scores with intervals, and limits."""

import json
from importlib import resources
from math import prod
from pathlib import Path

from huggingface_hub import EvalResult, ModelCard, ModelCardData
from safetensors import safe_open

from helpers.errors import InputError
from helpers.tasks import registry
from helpers.tasks.base import Task


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
    """The card of a saved model, from what `saving.save` wrote beside it; InputError if something is missing there."""
    folder = Path(folder)
    task = registry.from_dict(_read(folder, "task"))
    recipe, data, scores, config = (_read(folder, name) for name in ("recipe", "data_card", "scores", "config"))
    name, ladder = folder.resolve().name, scores.get("ladder", [])
    template = resources.files("helpers.saving").joinpath("model_card.md").read_text(encoding="utf-8")
    return ModelCard(
        template.format(
            metadata=_metadata(task, name, data, scores).to_yaml(),
            name=name,
            architecture=config.get("model_type", "transformer"),
            parameters=_parameters(folder) / 1e6,
            task=task.name,
            auto_class=task.auto_class.__name__,
            n=scores.get("n", 0),
            drawn=f"their {scores['groups']} groups" if "groups" in scores else "the rows",
            data=data["name"],
            ladder=_ladder(ladder),
            verdict=verdict(ladder),
            limit=task.limit,
            data_card=_table({key.replace("_", " "): value for key, value in data.items()}),
            settings=_table({key: value for key, value in task.to_dict().items() if key != "name"}),
            recipe=_table(recipe),
        )
    )


def _metadata(task: Task, name: str, data: dict, scores: dict) -> ModelCardData:
    return ModelCardData(
        library_name="transformers",
        pipeline_tag=task.pipeline_tag,
        model_name=name,
        tags=["fine-tuned", task.name],
        eval_results=_results(task, data, scores) or None,
    )


def verdict(ladder: list[dict]) -> str:
    """One sentence: whether the last system of a ladder beats the best of the others by more than chance."""
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


def _results(task: Task, data: dict, scores: dict) -> list[EvalResult]:
    kinds = {"task_type": task.pipeline_tag, "dataset_type": data["name"], "dataset_name": data["name"]}
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
        text = ", ".join(_cell(item) for item in value[:40])
        return text + (f", ... ({len(value)} in all)" if len(value) > 40 else "")
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
