"""The step of a fine-tuned classifier in TensorFlow beside PyTorch's, by the code that the page on TensorFlow shows."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from transformers import AutoModelForSequenceClassification, PreTrainedModel

from helpers import Classification, Recipe, corpora, fit, models, sample
from helpers.book import apart
from tools import notebook

CORPUS, MODEL = "reviews", "encoder"
PAGE = Path(__file__).resolve().parent.parent / "book" / "07-tools" / "tensorflow.ipynb"
SEEDS = range(3)  # of the rows that it is tuned on, and of the eight that are compared
TUNED_ON, COMPARED = 64, 8
RECIPE = {"learning_rate": 1e-4, "epochs": 2, "batch_rows": 16, "precision": "fp32"}


def tensorflow() -> Iterator[tuple[dict, Callable]]:
    """By how much each gradient differs, and logits and losses before and after the step."""
    for seed in SEEDS:
        yield {"seed": seed}, lambda seed=seed: _compared(seed)


EXPERIMENTS = {"tensorflow": tensorflow}


def code() -> str:
    """The cells of the page whose functions get `tf`."""
    cells = [cell.source for cell in notebook.read(PAGE).cells if cell.cell_type == "code"]
    return "\n\n".join(cell for cell in cells if "(tf, " in cell and cell.lstrip().startswith("def "))


def _compared(seed: int) -> dict:
    corpus, tokenizer = corpora.load(CORPUS, scale="laptop"), models.tokenizer(MODEL, scale="laptop")
    task, kind = Classification(corpus.labels, max_length=64), AutoModelForSequenceClassification
    model = models.load(kind, MODEL, scale="laptop", seed=seed, num_labels=2)
    rows = sample(corpus.data["train"], TUNED_ON, seed)
    model = fit(task, model, tokenizer, rows, None, Recipe(**RECIPE, seed=seed)).model.cpu().eval()
    encoded = task.encode(tokenizer, sample(corpus.data["test"], COMPARED, seed))
    batch = task.collate(encoded.to_list(), tokenizer.pad_token_id)
    theirs, ours = in_tensorflow(model, batch, code()), stepped(model, batch)
    apart_by = {name: np.abs(theirs[name] - ours[name]).max() for name in ours}
    gradients = [name for name, _ in model.named_parameters()]
    return {
        "n": COMPARED,
        "version": str(theirs["version"]),
        "sizes": [float(np.abs(ours[name]).max()) for name in gradients],
        "differences": [float(apart_by[name]) for name in gradients],
        "outputs": {name: [float(apart_by[name])] for name in ("logits", "loss", "after")},
    }


def in_tensorflow(model: PreTrainedModel, batch: dict[str, torch.Tensor], source: str) -> dict[str, np.ndarray]:
    """What the page's `main` makes of the weights of a model and of a batch."""
    names = {"ids": "input_ids", "mask": "attention_mask", "labels": "labels"}
    given = {short: batch[name].numpy() for short, name in names.items()}
    return apart.run(source, given | {name: p.detach().numpy() for name, p in model.named_parameters()})


def stepped(model: PreTrainedModel, batch: dict[str, torch.Tensor], rate: float = 0.1) -> dict[str, np.ndarray]:
    """Gradients by name, `logits`, `loss`, and the loss `after` a step of gradient descent, by PyTorch."""
    before = model(**batch)
    before.loss.backward()
    made = {name: p.grad.numpy().copy() for name, p in model.named_parameters()}
    made |= {"logits": before.logits.detach().numpy(), "loss": before.loss.detach().numpy()}
    with torch.no_grad():
        for p in model.parameters():
            p -= rate * p.grad
        return made | {"after": model(**batch).loss.numpy()}
