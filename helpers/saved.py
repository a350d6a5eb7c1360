"""A trained model on disk: what plain `from_pretrained` reads, and beside it how the model came to be.

The folder holds config.json (label names inside), model.safetensors, the tokenizer, task.json, recipe.json,
data_card.json, scores.json and history.csv. It appears in one move, complete.
"""

import json
import shutil
from pathlib import Path

from safetensors import SafetensorError
from transformers import (
    AutoModelForCausalLM,
    AutoModelForQuestionAnswering,
    AutoModelForSeq2SeqLM,
    AutoModelForSequenceClassification,
    AutoModelForTokenClassification,
    AutoTokenizer,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from helpers import adapters, checkpoints, models, tasks
from helpers.corpora.base import DataCard
from helpers.errors import InputError
from helpers.training import Run

AUTO_CLASSES = {
    "classification": AutoModelForSequenceClassification,
    "extraction": AutoModelForQuestionAnswering,
    "generation": AutoModelForCausalLM,
    "rewriting": AutoModelForSeq2SeqLM,
    "tagging": AutoModelForTokenClassification,
}


def check_free(output: str | Path) -> None:
    """InputError if something stands at `output` already: nothing is ever overwritten."""
    if Path(output).exists():
        raise InputError(f"the output folder '{output}' exists already; choose another name, or move it away")


def save(
    output: str | Path, task, run: Run, tokenizer: PreTrainedTokenizerBase, card: DataCard, scores: dict | None = None
) -> Path:
    """Write a trained model to the new folder `output`, and then remove the checkpoints of its run.

    LoRA matrices are merged into the weights before, so that the folder holds a plain model.

    Raises InputError if `output` exists; nothing is written then.
    """
    output = Path(output)
    check_free(output)
    scratch = output.with_name(output.name + ".writing")
    shutil.rmtree(scratch, ignore_errors=True)
    with models.quiet(slow=False), checkpoints.room_told(scratch):
        adapters.merged(run.model).save_pretrained(scratch)
        tokenizer.save_pretrained(scratch)
    _write(scratch / "task.json", tasks.to_dict(task))
    _write(scratch / "recipe.json", run.recipe.to_dict())
    _write(scratch / "scores.json", scores or {})
    (scratch / "data_card.json").write_text(card.to_json(), encoding="utf-8")
    run.history.to_csv(scratch / "history.csv", index=False, lineterminator="\n")
    scratch.rename(output)
    checkpoints.discard(output)
    return output


def add_scores(output: str | Path, task, scores: dict) -> None:
    """Write the scores of a saved model, and the task's settings anew, which may hold a threshold chosen since."""
    for name, content in (("task", tasks.to_dict(task)), ("scores", scores)):
        scratch = Path(output) / f"{name}.writing"
        _write(scratch, content)
        scratch.replace(Path(output) / f"{name}.json")


def load(folder: str | Path) -> tuple[object, PreTrainedModel, PreTrainedTokenizerBase]:
    """Task, model (in evaluation mode) and tokenizer of a folder that `save` wrote; InputError if it is none."""
    folder = Path(folder)
    try:
        task = tasks.from_dict(json.loads((folder / "task.json").read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise InputError(f"'{folder}' is not a model that helpers has saved ({error}); give its folder") from error
    try:
        with models.quiet(slow=False):
            model = AUTO_CLASSES[task.name].from_pretrained(
                folder, use_safetensors=True, local_files_only=True, trust_remote_code=False
            )
            tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        if hasattr(task, "restore"):  # what plain `from_pretrained` leaves out
            task.restore(model, folder)
    except (OSError, ValueError, SafetensorError) as error:
        raise InputError(f"the model in '{folder}' cannot be read ({error}); train it again") from error
    return task, model.eval(), tokenizer


def _write(path: Path, content: dict) -> None:
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
