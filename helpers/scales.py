"""The two sizes at which the book runs, and the one table of what stands for a role at each.

At `laptop`, the default, everything ships inside registry packages (`helpers.assets`) and runs on a CPU without an
account. At `gpu` the same cells use well-known models and data sets, by their names on the Hub.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from helpers.errors import InputError

SCALES = ("laptop", "gpu")

# role -> scale -> an asset's name at `laptop`, a Hub name at `gpu`
MODELS = {
    "encoder": {"laptop": "encoder", "gpu": "bert-base-uncased"},
    "decoder": {"laptop": "decoder", "gpu": "HuggingFaceTB/SmolLM2-1.7B-Instruct"},
    "multilingual": {"laptop": "multilingual", "gpu": "FacebookAI/xlm-roberta-base"},
}
# The same for roles that no package holds. The encoder-decoder is T5 (Apache-2.0): it translates into French where a
# prompt begins with "translate English to French: ", and its weights are safetensors.
ONLY_GPU = {"translator": "google-t5/t5-base"}
CORPORA = {
    "boolq": {"laptop": "questions", "gpu": "google/boolq"},
    "questions": {"laptop": "questions", "gpu": "rajpurkar/squad_v2"},
    "docstrings": {"laptop": "docstrings", "gpu": "abisee/cnn_dailymail"},
    "reviews": {"laptop": "reviews", "gpu": "stanfordnlp/imdb"},
    "brown": {"laptop": "brown", "gpu": "tomaarsen/conll2003"},
    "strings": {"laptop": "strings", "gpu": "Helsinki-NLP/opus-100"},
    "xsum": {"laptop": "xsum", "gpu": "EdinburghNLP/xsum"},
    "news": {"laptop": "news", "gpu": "fancyzhx/ag_news"},
}


def current(scale: str | None = None) -> str:
    """The scale in force, `laptop` or `gpu`: the argument, else `$SFT_SCALE`, else `laptop`.

    Raises InputError for any other value.
    """
    where = "scale" if scale is not None else "SFT_SCALE"
    chosen = scale if scale is not None else os.environ.get("SFT_SCALE") or "laptop"
    if chosen not in SCALES:
        raise InputError(f"{where} is '{chosen}'; choose one of {', '.join(SCALES)}")
    return chosen


@contextmanager
def chosen(scale: str | None) -> Iterator[None]:
    """While this lasts, `scale` is in force; None leaves it as it is. Raises InputError for an unknown one."""
    before = os.environ.get("SFT_SCALE")
    if scale is not None:
        os.environ["SFT_SCALE"] = current(scale)
    try:
        yield
    finally:
        if scale is not None:
            os.environ.pop("SFT_SCALE")
            os.environ.update({} if before is None else {"SFT_SCALE": before})


def model(role: str, scale: str | None = None) -> str:
    """What stands for a role such as `encoder` at a scale.

    Raises InputError for an unknown role or scale, and for a role of `ONLY_GPU` at `laptop`.
    """
    if role in ONLY_GPU:
        if current(scale) == "laptop":
            raise InputError(
                f"no package holds a model for the role '{role}', so there is none at scale laptop; set SFT_SCALE=gpu, "
                "or pass a folder or a name on the Hub"
            )
        return ONLY_GPU[role]
    return _look_up(MODELS, "model role", role, scale)


def data(corpus: str, scale: str | None = None) -> str:
    """What stands for a corpus such as `reviews` at a scale; raises InputError for an unknown corpus or scale."""
    return _look_up(CORPORA, "corpus", corpus, scale)


def _look_up(table: dict[str, dict[str, str]], kind: str, name: str, scale: str | None) -> str:
    if name not in table:
        raise InputError(f"there is no {kind} '{name}'; choose one of {', '.join(table)}")
    return table[name][current(scale)]
