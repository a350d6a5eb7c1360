"""The card of an exported model: how it is run, its certificate, and what the card of the model said."""

from importlib import resources
from pathlib import Path

from huggingface_hub import ModelCard, ModelCardData

from helpers.export.certificate import Certificate
from helpers.tasks.base import Task


def write(folder: Path, own: ModelCard, model: str | Path, task: Task, certificate: Certificate, name: str) -> None:
    """Write README.md into an exported folder that will be called `name`.

    Args:
        own: the card of the model that was exported; its scores, data, recipe and limits are quoted.
        model: the folder of that model.
    """
    form = certificate.form
    metadata = ModelCardData(
        library_name=form.library, pipeline_tag=task.pipeline_tag, model_name=name, tags=["fine-tuned", task.name]
    )
    texts = resources.files("helpers.export")
    text = (
        texts.joinpath("card.md")
        .read_text(encoding="utf-8")
        .format(
            metadata=metadata.to_yaml(),
            name=name,
            origin=Path(model).resolve().name,
            task=task.name,
            format=form.name,
            file=form.file,
            use=texts.joinpath(f"use_{form.library}.md").read_text(encoding="utf-8").format(file=form.file).strip(),
            sentence=certificate.sentence(),
            bound=_bound(certificate),
            rest="## Scores" + own.text.partition("## Scores")[2],
        )
    )
    (folder / "README.md").write_text(text, encoding="utf-8")


def _bound(certificate: Certificate) -> str:
    form = certificate.form
    if form.rounded:
        return (
            f"The lower end of the interval of the score's difference had to be above {-form.loss:g}, or this folder "
            "would not exist."
        )
    return (
        f"More than {form.nats:g} nats on any row, or fewer than {form.equal:.0%} of the answers, and this folder "
        "would not exist."
    )
