"""Interface strings into French: chrF and BLEU over the number of translated strings that there are to learn from.

Rows and steps are told apart: strings are learnt in four passes, and others in as many steps as four passes over 1,000
take. (Four passes over all 2,823 strings would take a core three quarters of an hour.) What a product would run is a
system of its own: the translation memory where it knows a similar string, the decoder elsewhere.
"""

from collections.abc import Callable, Iterator
from functools import lru_cache

import numpy as np
from datasets import Dataset

from experiments.pairs import answered, asked, scored, trained, tuned
from helpers import Generation, Recipe, corpora, metrics, sample
from helpers.corpora.strings import FRAME, INSTRUCTION
from helpers.data import framed
from helpers.models.inference import half_precision
from helpers.tasks.generation import baselines

CORPUS, MODEL = "strings", "decoder"
MEMORIES = (64, 300, 1000, 2000, 2823)
PASSES, STEPS_OF_1000 = 4, {300: 13, 2000: 2, 64: 62}  # 494, 500 and 496 steps of eight rows; 1,000 rows take 500
# Training rows and passes; the seeds of those that stand together follow each other.
ARMS = ([(64, PASSES)], [(300, PASSES), (1000, PASSES)], *([arm] for arm in STEPS_OF_1000.items()))
SEEDS = range(3)
RECIPE = {"learning_rate": 2e-4, "epochs": 1, "batch_rows": 8}
CHOOSE_ON = 200  # validation rows that choose from which similarity on the memory answers
THRESHOLDS = (*np.arange(0.3, 1.0, 0.05).round(2).tolist(), 1.01)  # the last leaves all to the decoder
ABLATION_ROWS = 120
TASK = Generation(template="plain", max_new_tokens=40)
SCORES = (metrics.Chrf(), metrics.Bleu())


def french() -> Iterator[tuple[dict, Callable]]:
    """Copying, translation memories, the pretrained decoder, fine-tuned ones, and these beside a memory."""
    test = corpora.load(CORPUS).data["test"]
    yield _about("copy", 0), lambda: scored(SCORES, baselines.copied_prompt(test), test)
    for rows in MEMORIES:
        for seed in SEEDS if rows < max(MEMORIES) else (0,):  # of all strings there is one draw
            about = _about("memory", rows) | {"seed": seed}
            yield about, lambda rows=rows, seed=seed: scored(SCORES, _memory(rows, seed, test)[0], test)
    yield _about("zero-shot", 0), lambda: asked(Generation(system=INSTRUCTION, max_new_tokens=40), test, SCORES)
    for arms in ARMS:
        for seed in SEEDS:
            for rows, epochs in arms:
                yield from _decoder(rows, seed, epochs)


def _about(system: str, rows: int) -> dict:
    return {"system": system, "train_rows": rows, "seed": 0}


def _decoder(rows: int, seed: int, epochs: int) -> Iterator[tuple[dict, Callable]]:
    """A fine-tuned decoder alone, and beside the memory of the strings that it has learnt."""
    about = {"train_rows": rows, "seed": seed, "change": {"epochs": epochs}}
    yield {"system": "fine-tuned", **about}, lambda: _written(rows, seed, epochs)[0]
    yield {"system": "combined", **about}, lambda: _combined(rows, seed, epochs)


def _taught(rows: int, seed: int) -> Dataset:
    return sample(corpora.load(CORPUS).data["train"], rows, seed)


def _memory(rows: int, seed: int, asked_for: Dataset) -> tuple[list[str], np.ndarray]:
    return baselines.remembered(_taught(rows, seed), asked_for)


def _choosing() -> Dataset:
    return sample(corpora.load(CORPUS).data["validation"], CHOOSE_ON)


@lru_cache(maxsize=1)
def _written(rows: int, seed: int, epochs: int) -> tuple[dict, list[str]]:
    """The result of a fine-tuned decoder, and what it writes for the validation rows; kept for the combined system."""
    train, recipe = framed(_taught(rows, seed), FRAME), Recipe(**RECIPE | {"epochs": epochs}, seed=seed)
    run, watch = trained(TASK, train, recipe)
    result = answered(TASK, run, watch, framed(corpora.load(CORPUS).data["test"], FRAME), SCORES)
    with half_precision(run.model.device):
        chosen = TASK.generate(run.model, run.tokenizer, run.encode(framed(_choosing(), FRAME)))
    return result, chosen.texts


def _combined(rows: int, seed: int, epochs: int) -> dict:
    """The memory from a similarity on, which validation rows choose, and the decoder below it."""
    result, chosen = _written(rows, seed, epochs)
    choose, test = _choosing(), corpora.load(CORPUS).data["test"]
    memory = _memory(rows, seed, choose)
    chrf = [_chrf(either(*memory, chosen, threshold), choose) for threshold in THRESHOLDS]
    threshold = THRESHOLDS[int(np.argmax(chrf))]
    texts, similarities = _memory(rows, seed, test)
    kept = {"threshold": threshold, "from_memory": int((similarities >= threshold).sum())}
    return scored(SCORES, either(texts, similarities, result["texts"], threshold), test) | kept


def either(memory: list[str], similarities: np.ndarray, decoder: list[str], threshold: float) -> list[str]:
    """The text of the memory where its string is similar enough, and that of the decoder elsewhere."""
    rows = zip(memory, similarities, decoder, strict=True)
    return [known if similarity >= threshold else written for known, similarity, written in rows]


def _chrf(texts: list[str], rows: Dataset) -> float:
    return SCORES[0].compute(predictions=texts, references=list(rows["completion"]))["chrf"]


def french_ablations() -> Iterator[tuple[dict, Callable]]:
    """Validation chrF after 64 strings when one setting of the recipe changes, one seed."""
    data = corpora.load(CORPUS).data
    train = framed(sample(data["train"], 64, 0), FRAME)
    test = framed(sample(data["validation"], ABLATION_ROWS, 0), FRAME)
    for change in ({}, {"learning_rate": 5e-5}, {"learning_rate": 8e-4}, {"epochs": 4}):
        about = {"system": "fine-tuned", "train_rows": 64, "seed": 0, "change": change}
        recipe = Recipe(**RECIPE | change, seed=0)
        yield about, lambda recipe=recipe: tuned(TASK, train, test, SCORES, recipe)


EXPERIMENTS = {"strings-french": french, "strings-ablations": french_ablations}
