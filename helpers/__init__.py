"""Supervised fine-tuning in practice: the package under the book.

Data flow in one direction: assets, data, corpora, tasks, saving, training, workflow; the shell and the book are the
two ways in. A room imports only what stands below it (`tests/test_layers.py`).

    from helpers import Classification, corpora, finetune, load

    reviews = corpora.load("reviews").drawn(500)
    run = finetune(Classification.for_corpus(reviews), reviews, output="model")
    print(run.ladder)
    print(load("model").answers(["A slick, engrossing melodrama."]))
"""

import os
import warnings
from importlib import import_module

# The book shows plain progress lines; tqdm would complain in every notebook that it cannot draw widgets.
warnings.filterwarnings("ignore", message="IProgress not found")

# Threads that wait for each other sleep. By default they keep a core busy meanwhile, which is a little faster alone,
# and beside one other busy program more than ten times slower. It holds if PyTorch is imported afterwards.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

# oneDNN keeps what it has compiled for each shape of a batch, a thousand by default, which is a gigabyte after some
# hundred steps on rows of many lengths; with so few it is as fast.
os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "32")

__version__ = "0.1.0"
_DOOR = {
    "Classification": "helpers.tasks.classification.task",
    "Extraction": "helpers.tasks.extraction.task",
    "Generation": "helpers.tasks.generation.task",
    "MultiLabel": "helpers.tasks.multilabel.task",
    "Predictor": "helpers.tasks.base",
    "Recipe": "helpers.training.recipe",
    "Run": "helpers.training.loop",
    "Seq2Seq": "helpers.tasks.seq2seq",
    "Tagging": "helpers.tasks.tagging.task",
    "finetune": "helpers.workflow.finetune",
    "fit": "helpers.training.loop",
    "load": "helpers.saving.folder",
    "sample": "helpers.data.corpus",
    "tune": "helpers.workflow.tune",
}
__all__ = sorted(_DOOR)


def __getattr__(name: str):
    """The names of the door, imported when they are asked for: `helpers --help` needs none of them."""
    if name not in _DOOR:
        raise AttributeError(f"module 'helpers' has no attribute '{name}'")
    return getattr(import_module(_DOOR[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_DOOR])
