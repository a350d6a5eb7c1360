"""Does a regression on frozen vectors foretell which body is best after fine-tuning? Nine bodies on film reviews.

They are the packaged encoder, whole and cut to its lower layers, two that were never pretrained, and the multilingual
encoder. The probe is scored on validation rows, on which such a choice would be made, and the fine-tuned body on the
test rows.
"""

from collections.abc import Callable, Iterator
from functools import cache

import numpy as np
from torch import nn
from transformers import AutoModel, PreTrainedModel

from experiments import recording
from experiments.reviews import reviews, scored
from helpers import Classification, Recipe, Run, fit, models, sample
from helpers.models.embedding import embed
from helpers.models.inference import half_precision
from helpers.tasks.classification import baselines

CORPUS, MODEL = "reviews", "encoder"
SEEDS, ROWS = range(3), 500
RECIPE = {"epochs": 5, "batch_rows": 16}  # 160 steps
RATES = (1e-4, 4e-4)  # of which the rows that choose take one for each body: few layers learn nothing at the smaller
# By name: the role of the model, the lower layers that are kept, and whether it was pretrained.
BODIES = {f"lower {layers} of 6 layers": ("encoder", layers, True) for layers in range(1, 6)} | {
    "6 layers": ("encoder", 6, True),
    "6 layers, untrained": ("encoder", 6, False),
    "2 layers, untrained": ("encoder", 2, False),
    "multilingual": ("multilingual", None, True),
}


def review_bodies() -> Iterator[tuple[dict, Callable]]:
    """Validation accuracy of a probe on each body's vectors, and test accuracy of the body fine-tuned."""
    for system, score in (("frozen", probed), ("fine-tuned", tuned)):
        for body in BODIES:
            for seed in SEEDS:
                about = {"system": system, "form": body, "train_rows": ROWS, "seed": seed}
                yield about, lambda score=score, body=body, seed=seed: score(body, seed)


EXPERIMENTS = {"review-bodies": review_bodies}


def recipe(about: dict) -> dict:
    """The settings of a fine-tuned body but its rate."""
    return RECIPE | {"seed": about["seed"]} if about["system"] == "fine-tuned" else {}


def lower(model: PreTrainedModel, layers: int | None) -> PreTrainedModel:
    """The model with its lowest layers alone; None keeps all. Changed in place."""
    if layers is not None:
        model.base_model.encoder.layer = nn.ModuleList(model.base_model.encoder.layer[:layers])
        model.config.num_hidden_layers = layers
    return model


def probed(body: str, seed: int) -> dict:
    """A regression on frozen vectors; validation rows that choose its strength are not those that score it."""
    vectors, data = _vectors(body), reviews()
    train = sample(data["train"], ROWS, seed)
    features = [vectors["train"][train["place"]], vectors["choosing"], vectors["validation"]]
    answers = baselines.regression(features, train, data["choosing"])
    return scored(answers, data["validation"]) | {"split": "validation"}


def tuned(body: str, seed: int) -> dict:
    """The body with all its weights trained, at the rate and with the epoch that are best on the rows that choose."""
    run, test = max((_trained(body, seed, rate) for rate in RATES), key=_chosen_by), reviews()["test"]
    with half_precision(run.model.device):
        answers = run.predict(test)
    return scored(answers, test) | recording.cost(run) | {"split": "test"}


def _trained(body: str, seed: int, rate: float) -> Run:
    role, layers, pretrained = BODIES[body]
    data = reviews()
    task = Classification(tuple(data["train"].features["label"].names))
    model = lower(task.build(role, pretrained=pretrained, seed=seed), layers)
    train, recipe = sample(data["train"], ROWS, seed), Recipe(**RECIPE, learning_rate=rate, seed=seed)
    return fit(task, model, models.tokenizer(role), train, data["choosing"], recipe)


def _chosen_by(run: Run) -> float:
    return run.best[f"validation_{run.task.selection_metric}"]


@cache
def _vectors(body: str) -> dict[str, np.ndarray]:
    """The body's vectors of each split, (rows, D)."""
    role, layers, pretrained = BODIES[body]
    model = lower(models.load(AutoModel, role, pretrained=pretrained, seed=0), layers).eval()
    data, tokenizer = reviews(), models.tokenizer(role)
    with half_precision(model.device):
        return {part: embed(model, tokenizer, data[part]["text"]) for part in ("train", "choosing", "validation")}
