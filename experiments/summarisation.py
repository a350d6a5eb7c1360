"""Docstrings in one line: ROUGE of summaries of libraries that were held out, and of news articles.

The prompt holds the prose of a docstring and, below it, the signature of what it describes. Every number of rows but
the fewest, which the chapter repeats, is learnt in at least 80 steps, and one pass over all rows takes 206.
"""

import re
from collections.abc import Callable, Iterator
from functools import lru_cache

import numpy as np
from datasets import Dataset, DatasetDict

from experiments.pairs import answered, asked, scored, trained
from experiments.recording import Watch
from helpers import Generation, Recipe, Run, corpora, metrics, models, sample
from helpers.corpora import docstrings, xsum
from helpers.data import framed
from helpers.models.inference import half_precision
from helpers.tasks.generation import baselines

CORPUS, MODEL = "docstrings", "decoder"
PASSES = {32: 20, 200: 6, 1641: 1}  # of each number of rows: 80, 150 and 206 steps of eight
FEW = (32, 4)  # rows and passes of what shows how few will do
LIVE = (16, 3)  # of what the chapter repeats
SEEDS = range(3)
RECIPE = {"learning_rate": 1e-4, "batch_rows": 8}
CHANGES = ({}, {"named": False}, {"learning_rate": 5e-5}, {"learning_rate": 2e-4}, {"words": 30})
EXAMPLES = 3  # in the prompt of the decoder that is not fine-tuned
NEWS_ROWS = 200
SCORES = (metrics.Rouge1(), metrics.Rouge2(), metrics.RougeL())
TASK = Generation(template="plain", max_new_tokens=32)
NEWS_TASK = Generation(template="plain", max_new_tokens=40)


def docstring_summaries() -> Iterator[tuple[dict, Callable]]:
    """What needs no training, the pretrained decoder, and fine-tuned ones."""
    data = rows()
    test = data["test"]
    for system, write in RULES.items():
        yield _about(system), lambda write=write: scored(SCORES, write(data["train"], test), test)
    chat = Generation(system=docstrings.INSTRUCTION, max_new_tokens=TASK.max_new_tokens)
    yield _about("zero-shot"), lambda: asked(chat, test, SCORES)
    yield _about("examples"), lambda: _shown(sample(data["train"], EXAMPLES, 0), test, TASK)
    for size, epochs in (LIVE, FEW, *PASSES.items()):
        for seed in SEEDS:
            about = {"system": "fine-tuned", "train_rows": size, "seed": seed, "change": {"epochs": epochs}}
            yield about, lambda about=about: _summed_up(about, test, TASK)


def news_summaries() -> Iterator[tuple[dict, Callable]]:
    """The same systems on whole news articles, which none of them was fine-tuned on; rules and prompts see others."""
    news = corpora.load("xsum").data["test"]
    test, others = news.select(range(NEWS_ROWS)), news.select(range(NEWS_ROWS, len(news)))
    for system in ("lead", "lead cut", "central"):
        write = RULES[system]
        yield _about(system), lambda write=write: scored(SCORES, write(in_a_line(others), in_a_line(test)), test)
    chat = Generation(system=xsum.INSTRUCTION, max_new_tokens=NEWS_TASK.max_new_tokens)
    yield _about("zero-shot"), lambda: asked(chat, test, SCORES)
    yield _about("examples"), lambda: _shown(sample(others, EXAMPLES, 0), test, NEWS_TASK)
    size = max(PASSES)
    for seed in SEEDS:
        about = {"system": "fine-tuned", "train_rows": size, "seed": seed, "change": {"epochs": PASSES[size]}}
        yield about, lambda about=about: _summed_up(about, test, NEWS_TASK)


def docstring_ablations() -> Iterator[tuple[dict, Callable]]:
    """Validation ROUGE after few rows without the signature, at other rates, and of the first words of the prose."""
    size, epochs = FEW
    for change in CHANGES:
        for seed in SEEDS:
            about = {"system": "fine-tuned", "train_rows": size, "seed": seed, "change": {"epochs": epochs} | change}
            test = shown(rows(change.get("named", True))["validation"], change)
            yield about, lambda about=about, test=test: _summed_up(about, test, TASK)


EXPERIMENTS = {"docstrings": docstring_summaries, "docstrings-ablations": docstring_ablations, "xsum": news_summaries}


def rows(named: bool = True) -> DatasetDict:
    """The docstrings, with or without the signature below the prose."""
    return corpora.load(CORPUS, named=named).data


def shown(data: Dataset, change: dict) -> Dataset:
    """The rows as a change of the experiment shows them."""
    return cut(data, change["words"]) if "words" in change else data


def cut(data: Dataset, words: int) -> Dataset:
    """The rows with the first so many words of their prose, and with the signature below them where there is one."""

    def shorter(row: dict) -> dict:
        prose, line, signature = row["prompt"].partition("\n")
        return {"prompt": " ".join(prose.split()[:words]) + line + signature}

    return data.map(shorter)


def prose(data: Dataset) -> Dataset:
    """The rows without the signature, as what takes a sentence out of them reads them."""
    return data.map(lambda row: {"prompt": docstrings.body(row["prompt"])})


def in_a_line(data: Dataset) -> Dataset:
    """News without its line ends, as what takes a sentence out of a text reads it: docstrings end at the first."""
    return data.map(lambda row: {"prompt": " ".join(row["prompt"].split())})


def lead_cut(train: Dataset, test: Dataset) -> list[str]:
    """The beginning of each text, as long as the median of the training summaries."""
    length = int(np.median([len(text.split()) for text in train["completion"]]))
    return [" ".join(text.split()[:length]) for text in prose(test)["prompt"]]


def name_in_words(test: Dataset) -> list[str]:
    """The name in each signature as words, `read_csv` as "Read csv."; of a module, which has none, the first words."""
    written = []
    for prompt in test["prompt"]:
        found = re.match(r"(?:def|class) (\w+)", prompt.partition("\n")[2])
        name = found[1] if found else " ".join(prompt.split()[:3])
        parts = re.sub(r"([a-z0-9])([A-Z])", r"\1 \2", name).replace("_", " ").split()
        written.append(f"{' '.join(parts).capitalize()}.")
    return written


RULES: dict[str, Callable[[Dataset, Dataset], list[str]]] = {
    "lead": lambda train, test: baselines.lead(prose(test)),
    "lead cut": lead_cut,
    "central": lambda train, test: baselines.centroid_sentence(prose(train), prose(test)),
    "name": lambda train, test: name_in_words(test),
}


def _about(system: str) -> dict:
    return {"system": system, "train_rows": 0, "seed": 0}


def _shown(examples: Dataset, test: Dataset, task: Generation) -> dict:
    """What the pretrained decoder writes after some examples; it has never learnt to stop after a line."""
    examples = "\n\n".join(row["prompt"] + row["completion"] for row in framed(examples, docstrings.FRAME))
    asked_for = framed(test, docstrings.FRAME).map(lambda row: {"prompt": f"{examples}\n\n{row['prompt']}"})
    model, tokenizer = task.build(), models.tokenizer(MODEL)
    with half_precision(model.device):
        answers = task.generate(model, tokenizer, task.encode(tokenizer, asked_for))
    texts = [(text.strip().splitlines() or [""])[0] for text in answers.texts]
    return scored(SCORES, texts, test) | {"written_in": answers.precision}


def _summed_up(about: dict, test: Dataset, task: Generation) -> dict:
    """The result of a fine-tuned decoder on some rows."""
    change = tuple(sorted(about["change"].items()))
    run, watch = _run(about["train_rows"], about["seed"], change)
    return answered(task, run, watch, framed(test, docstrings.FRAME), SCORES)


@lru_cache(maxsize=len(SEEDS))
def _run(size: int, seed: int, change: tuple) -> tuple[Run, Watch]:
    """A decoder fine-tuned on docstrings; the last ones are kept for the news that follow."""
    change = dict(change)
    train = shown(sample(rows(change.get("named", True))["train"], size, seed), change)
    settings = {name: value for name, value in change.items() if name not in ("named", "words")}
    recipe = Recipe(**RECIPE | settings, seed=seed)
    return trained(TASK, framed(train, docstrings.FRAME), recipe)
