"""The two sizes at which the book runs, and the one table of what stands for a role at each.

At `laptop`, the default, everything ships inside registry packages (`helpers.assets`) and runs on a CPU without an
account. At `gpu` the same cells use well-known models and data sets, by their names on the Hub.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import TypeVar

from helpers.errors import InputError

SCALES = ("laptop", "gpu")
SEEN = "November 2026"  # when the list of models was drawn up

Value = TypeVar("Value")


@dataclass(frozen=True)
class HubModel:
    """A model on the Hub, as its card describes it.

    Attributes:
        weights: how many, in millions.
        why: what it is taken for.
    """

    name: str
    weights: int
    licence: str
    why: str


# What stands for a role at `gpu`, and then what else one would try today. No network was at hand where this list was
# drawn up: none of these names was opened, so look at the card before you rely on a name or a licence.
ON_THE_HUB = {
    "encoder": (
        HubModel("bert-base-uncased", 110, "Apache-2.0", "the cells were written for it; everybody knows its numbers"),
        HubModel("answerdotai/ModernBERT-base", 149, "Apache-2.0", "reads 8,192 tokens, so that long texts stay whole"),
        HubModel("microsoft/deberta-v3-base", 184, "MIT", "often the most accurate at this size, and slower"),
    ),
    "decoder": (
        HubModel("HuggingFaceTB/SmolLM2-1.7B-Instruct", 1700, "Apache-2.0", "the packaged decoder's larger sister"),
        HubModel("Qwen/Qwen3-4B-Instruct-2507", 4000, "Apache-2.0", "many languages, and it answers without thinking"),
        HubModel("HuggingFaceTB/SmolLM3-3B", 3100, "Apache-2.0", "its data are open; turn its thinking off"),
    ),
    "multilingual": (
        HubModel("FacebookAI/xlm-roberta-base", 278, "MIT", "the cells were written for its kind; 100 languages"),
        HubModel("jhu-clsp/mmBERT-base", 307, "MIT", "a ModernBERT for 1,800 languages"),
    ),
    "translator": (
        # It translates into French where a prompt begins with "translate English to French: ".
        HubModel("google-t5/t5-base", 223, "Apache-2.0", "its weights are safetensors"),
        HubModel("Helsinki-NLP/opus-mt-en-fr", 75, "Apache-2.0", "one pair of languages, and small"),
        HubModel("google/madlad400-3b-mt", 3000, "Apache-2.0", "400 languages"),
    ),
}
# role -> scale -> an asset's name at `laptop`, a Hub name at `gpu`
MODELS = {role: {"laptop": role, "gpu": ON_THE_HUB[role][0].name} for role in ("encoder", "decoder", "multilingual")}
ONLY_GPU = {"translator": ON_THE_HUB["translator"][0].name}  # the same for roles that no package holds
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


def at(laptop: Value, gpu: Value, scale: str | None = None) -> Value:
    """One of two values, by the scale: rows, lengths and rates grow with it.

    Raises InputError for an unknown scale.
    """
    return laptop if current(scale) == "laptop" else gpu


def models_on_the_hub() -> list[dict]:
    """A row for each model of `ON_THE_HUB`: role, name, weights (millions), licence, why, and `taken` by the cells."""
    return [
        {"role": role, "taken": place == 0} | asdict(each)
        for role, listed in ON_THE_HUB.items()
        for place, each in enumerate(listed)
    ]


def data(corpus: str, scale: str | None = None) -> str:
    """What stands for a corpus such as `reviews` at a scale; raises InputError for an unknown corpus or scale."""
    return _look_up(CORPORA, "corpus", corpus, scale)


def _look_up(table: dict[str, dict[str, str]], kind: str, name: str, scale: str | None) -> str:
    if name not in table:
        raise InputError(f"there is no {kind} '{name}'; choose one of {', '.join(table)}")
    return table[name][current(scale)]
