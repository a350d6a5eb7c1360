"""Parameters as JSON: full fine-tuning against LoRA, the loss of completions against that of all tokens."""

import multiprocessing
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor

import numpy as np
from datasets import Dataset

from experiments import recording
from helpers import Generation, Recipe, corpora, fit, models, sample
from helpers.corpora import parameters
from helpers.data import framed
from helpers.metrics import json_fields
from helpers.models import lora
from helpers.tasks.generation.likelihood import likelihood

CORPUS, MODEL = "parameters", "decoder"
TRAIN_ROWS, CHOOSE_ON, TEST_ROWS, GENERAL_ROWS = 128, 16, 60, 40
RATES = {"full": 1e-4, "lora": 1e-3}
RECIPE = {"learning_rate": RATES["full"], "epochs": 2, "batch_rows": 8}
TASK = Generation(template="plain", max_new_tokens=64)


def rows() -> dict[str, Dataset]:
    """Prompts that end where the JSON begins: training, choosing and test rows."""
    data = corpora.load(CORPUS).data
    sizes = {"train": TRAIN_ROWS, "validation": CHOOSE_ON, "test": TEST_ROWS}
    return {name: framed(sample(data[name], size), parameters.FRAME) for name, size in sizes.items()}


def general() -> list[str]:
    """Sentences of the Brown corpus, to see what is forgotten."""
    sentences = [" ".join(words) for words in corpora.load("brown").data["test"]["tokens"] if 12 <= len(words) <= 40]
    return sentences[:: len(sentences) // GENERAL_ROWS][:GENERAL_ROWS]


def gpt_json() -> Iterator[tuple[dict, callable]]:
    """Validity, field F1, cost and forgetting of each way to get JSON out of an entry; the two main ways with seeds."""
    yield {"system": "rule"}, lambda: _untrained("rule")
    changes = [{}, {"lora_rank": 8}, {"supervise": "all"}, {"lora_rank": 2}, {"lora_rank": 32}, {"packed": 512}]
    for number, change in enumerate(changes):
        if number == 2:
            yield {"system": "instruction"}, lambda: _untrained("instruction")
        yield _trained(change, 0)
    yield {"system": "examples"}, lambda: _untrained("examples")
    for seed in (1, 2):
        yield _trained({}, seed)
        yield _trained({"lora_rank": 8}, seed)


def _trained(change: dict, seed: int) -> tuple[dict, callable]:
    about = {"system": "lora" if "lora_rank" in change else "full", "changes": change}
    about |= {"train_rows": TRAIN_ROWS, "seed": seed}
    return about, lambda: _alone(about)


EXPERIMENTS = {"gpt-json": gpt_json}


def recipe(about: dict) -> dict:
    """The settings of a fine-tuned model; those without training have none."""
    rates = {"learning_rate": RATES[about["system"]]} if about["system"] in RATES else {}
    return RECIPE | rates | {"seed": about.get("seed", 0)}


def _untrained(system: str) -> dict:
    data, tokenizer = rows(), models.tokenizer("decoder")
    if system == "rule":
        entries = sample(corpora.load(CORPUS).data["test"], TEST_ROWS, 0)["prompt"]
        return _scored([parameters.rule(entry) for entry in entries], data["test"])
    model = TASK.build()
    if system == "instruction":
        task = Generation(max_new_tokens=TASK.max_new_tokens)
        prompts = framed(data["test"], parameters.INSTRUCTION)
    else:
        examples = "\n\n".join(row["prompt"] + row["completion"] for row in data["train"].select(range(3)))
        task, prompts = TASK, data["test"].map(lambda row: {"prompt": f"{examples}\n\n{row['prompt']}"})
    answers = task.generate(model, tokenizer, task.encode(tokenizer, prompts)).texts
    if system == "examples":  # it has never learnt to stop after a line
        answers = [(answer.strip().splitlines() or [""])[0] for answer in answers]
    return _scored(answers, data["test"]) | _general_perplexity(model, tokenizer)


def _alone(about: dict) -> dict:
    """In a process of its own, whose peak of memory is its own."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(_tuned, about).result()


def _tuned(about: dict) -> dict:
    data, tokenizer = rows(), models.tokenizer("decoder")
    task = Generation(**{"template": "plain", "max_new_tokens": TASK.max_new_tokens} | about["changes"])
    settings = Recipe(**recipe(about))
    model = task.build(seed=about["seed"])
    trained = lora.trained_share(model)
    with recording.Watch() as watch:
        run = fit(task, model, tokenizer, data["train"], data["validation"], settings)
    answers = task.generate(run.model, tokenizer, run.encode(data["test"]))
    cost = recording.cost(run, watch) | {"trained_share": trained, "epoch": run.best["epoch"]}
    cost |= {"finished": float(answers.finished.mean())}
    return _scored(answers.texts, data["test"]) | _general_perplexity(run.model, tokenizer) | cost


def _scored(answers: list[str], test: Dataset) -> dict:
    counts = json_fields.counts(answers, test["completion"], parameters.FIELDS)
    scores = {"valid": float(counts[:, 3].mean()), "field_f1": float(json_fields.f1(counts.sum(0)))}
    return scores | {"n": len(counts), "counts": counts, "texts": answers}


def _general_perplexity(model, tokenizer) -> dict:
    counts = likelihood(model, tokenizer, general())
    return {"general_perplexity": float(np.exp(-TASK.from_counts(counts.sum(0)))), "general_n": len(counts)}
