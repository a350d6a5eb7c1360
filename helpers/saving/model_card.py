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
    """The card of a saved model, from what `saving.save` wrote beside it.

    Raises InputError if something is missing there, or was written by another version of the package.
    """
    folder = Path(folder)
    try:
        return _built(folder)
    except InputError:
        raise
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(
            f"'{folder}' holds settings that this version of helpers does not read ({type(error).__name__}: {error}); "
            "train the model again, or take the version that saved it"
        ) from error


def _built(folder: Path) -> ModelCard:
    task = registry.from_dict(_read(folder, "task"))
    recipe, data, scores = (_read(folder, name) for name in ("recipe", "data_card", "scores"))
    adapter = task.lora_saved == "adapter" and not (folder / "config.json").exists()
    kind = "LoRA adapter" if adapter else _read(folder, "config").get("model_type", "transformer")
    name, ladder = folder.resolve().name, scores.get("ladder", [])
    template = resources.files("helpers.saving").joinpath("model_card.md").read_text(encoding="utf-8")
    return ModelCard(
        template.format(
            metadata=_metadata(task, name, data, scores).to_yaml(),
            name=name,
            architecture=kind,
            parameters=_parameters(folder) / 1e6,
            task=task.name,
            **_loading(task.auto_class.__name__, adapter),
            base=_base(scores.get("base", {})),
            classes=_classes(scores.get("classes", [])),
            signs=_signs(scores.get("signs")),
            n=scores.get("n", 0),
            drawn=f"their {scores['groups']} groups" if "groups" in scores else "the rows",
            data=data["name"],
            ladder=_ladder(ladder),
            verdict=verdict(ladder),
            limit=task.limit,
            data_card=_table({key.replace("_", " "): value for key, value in data.items()}),
            settings=_table({key: value for key, value in task.to_dict().items() if key != "name"}),
            recipe=_table(recipe),
            trials=_trials(scores.get("trials", [])),
        )
    )


def _loading(name: str, adapter: bool) -> dict[str, str]:
    """How the model is loaded without this package; an adapter by peft, which has classes of nearly the same names."""
    if not adapter:
        return {"imports": f"from transformers import {name}, AutoTokenizer", "auto_class": name}
    name = name.replace("Auto", "AutoPeft", 1)
    return {"imports": f"from peft import {name}\nfrom transformers import AutoTokenizer", "auto_class": name}


def _metadata(task: Task, name: str, data: dict, scores: dict) -> ModelCardData:
    return ModelCardData(
        library_name="transformers",
        pipeline_tag=task.pipeline_tag,
        model_name=name,
        tags=["fine-tuned", task.name],
        eval_results=_results(task, data, scores) or None,
    )


def verdict(ladder: list[dict]) -> str:
    """One sentence: what the last system of a ladder gains over the best of the others, one run each."""
    if len(ladder) < 2:
        return "No baseline was scored on these rows, so nobody can tell how hard they are."
    system, value, *_, heading = ladder[0]
    rival = max(ladder[:-1], key=lambda row: row[value])
    gain, name, difference = rival[heading], _cell(rival[system]), _gain(rival[heading])
    if gain["p"] > 0.05:
        return f"One run each, these rows cannot tell it from *{name}*, which costs less (difference {difference})."
    if gain["value"] < 0:
        return f"One run each, it scores less than *{name}* (difference {difference}), which costs less: use that."
    return f"One run each, it scores {difference} more than *{name}*, the best of the cheaper systems."


def _base(stated: dict) -> str:
    """The model that was fine-tuned, with its licence and language; models that were saved earlier do not tell it."""
    facts = {"name": "the base model", "licence": "licence", "language": "language"}
    return _table({title: stated.get(fact, "not stated") for fact, title in facts.items()})


def _classes(rows: list[dict]) -> str:
    """A table of the scores of each class, with the number of test rows that hold it."""
    return f"Each class:\n\n{_lines(rows)}" if rows else "Scores of the classes were not saved with this model."


def _signs(sentences: list[str] | None) -> str:
    """What warned while the model was made."""
    if sentences is None:
        return "No checks of the training were saved with this model."
    return "\n".join(f"- {_cell(sentence)}" for sentence in sentences) or "No check of the training warned."


def _trials(rows: list[dict]) -> str:
    """The runs of the search that chose the settings."""
    if not rows:
        return "No search chose these settings on the validation rows, or none was saved with the model."
    shown = [
        {name: _number("-" if value is None else value) for name, value in row.items()}
        | {"learning_rate": f"{row['learning_rate']:g}", "chosen": "chosen" if row["chosen"] else ""}
        for row in rows
    ]
    return f"The settings were chosen among these, by the score on the validation rows:\n\n{_lines(shown)}"


def _gain(difference: dict) -> str:
    value, low, high = (_number(difference[name]) for name in ("value", "low", "high"))
    return f"{value} [{low}, {high}]"


def _results(task: Task, data: dict, scores: dict) -> list[EvalResult]:
    kinds = {"task_type": task.pipeline_tag, "dataset_type": data["name"], "dataset_name": data["name"]}
    numbers = {key: value for key, value in scores.items() if isinstance(value, float)}
    return [EvalResult(**kinds, metric_type=key, metric_value=round(value, 4)) for key, value in numbers.items()]


def _ladder(rows: list[dict]) -> str:
    return _lines(rows) if rows else "No scores were saved with this model."


def _lines(rows: list[dict]) -> str:
    """A table of rows with the same columns."""
    head = [_cell(name) for name in rows[0]]
    cells = [[_number(value) for value in row.values()] for row in rows]
    return "\n".join(["| " + " | ".join(line) + " |" for line in (head, ["---"] * len(head), *cells)])


def _number(value) -> str:
    """A cell of the ladder: a name, a number or a difference."""
    if isinstance(value, dict):
        return _gain(value)
    return f"{value:.3f}" if isinstance(value, float) else _cell(value)


def _table(values: dict) -> str:
    lines = [f"| {_cell(key)} | {_cell(value)} |" for key, value in values.items()]
    return "\n".join(["| | |", "|---|---|", *lines])


def _cell(value) -> str:
    if isinstance(value, dict):
        return "; ".join(f"{_cell(key)}: {_cell(item)}" for key, item in value.items()) or "none"
    if isinstance(value, list):
        text = ", ".join(_cell(item) for item in value[:40])
        return text + (f", ... ({len(value)} in all)" if len(value) > 40 else "")
    # A name of a label or a file may hold what Markdown takes for the end of a cell or of a line, or for a tag.
    return " ".join(str(value).split()).replace("&", "&amp;").replace("<", "&lt;").replace("|", "\\|")


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
