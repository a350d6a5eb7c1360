"""Docstrings in one line: ROUGE of summaries of libraries that were held out, and of news articles."""

from collections.abc import Iterator
from functools import lru_cache

from experiments.pairs import answered, asked, scored, trained
from experiments.recording import Watch
from helpers import Generation, Recipe, Run, corpora, metrics, sample
from helpers.corpora import docstrings, xsum
from helpers.data import framed
from helpers.tasks.generation import baselines

CORPUS, MODEL = "docstrings", "decoder"
TEST_ROWS, NEWS_ROWS = 80, 60
NEWS_TRAINED = 600  # docstrings that the decoder learnt from which sums up news
NEWS_WORDS = 150  # of an article, from its beginning
ABLATION_ROWS = 100
# Rows and seed; 0 rows is zero-shot, and 24 are what the chapter trains on live.
TUNED = ((32, 0), (32, 1), (0, 0), (32, 2), (200, 0), (NEWS_TRAINED, 0), (24, 0), (24, 1), (24, 2))
RECIPE = {"learning_rate": 2e-4, "epochs": 1, "batch_rows": 8}
SCORES = (metrics.Rouge1(), metrics.Rouge2(), metrics.RougeL())
TASK = Generation(template="plain", max_new_tokens=24)
NEWS_TASK = Generation(template="plain", max_new_tokens=40)


def docstring_summaries() -> Iterator[tuple[dict, callable]]:
    """Lead, central sentence, the pretrained decoder, and fine-tuned ones."""
    data = corpora.load(CORPUS).data
    test, fixed = sample(data["test"], TEST_ROWS, 0), {"train_rows": 0, "seed": 0}
    yield {"system": "lead", **fixed}, lambda: scored(SCORES, baselines.lead(test), test)
    yield {"system": "central", **fixed}, lambda: scored(SCORES, baselines.centroid_sentence(data["train"], test), test)
    for rows, seed in TUNED:
        if rows == 0:
            chat = Generation(system=docstrings.INSTRUCTION, max_new_tokens=24)
            yield {"system": "zero-shot", **fixed}, lambda chat=chat: asked(chat, test, SCORES)
            continue
        about = {"system": "fine-tuned", "train_rows": rows, "seed": seed}
        yield (
            about,
            lambda rows=rows, seed=seed: answered(TASK, *_run(rows, seed), framed(test, docstrings.FRAME), SCORES),
        )


def news_summaries() -> Iterator[tuple[dict, callable]]:
    """The same systems on the beginnings of news articles, which none of them was fine-tuned on."""
    train, test = corpora.load(CORPUS).data["train"], cut(corpora.load("xsum").data["test"].select(range(NEWS_ROWS)))
    fixed = {"train_rows": 0, "seed": 0}
    yield {"system": "lead", **fixed}, lambda: scored(SCORES, baselines.lead(test), test)
    yield {"system": "central", **fixed}, lambda: scored(SCORES, baselines.centroid_sentence(train, test), test)
    about = {"system": "fine-tuned", "train_rows": NEWS_TRAINED, "seed": 0}
    yield about, lambda: answered(NEWS_TASK, *_run(NEWS_TRAINED, 0), framed(test, docstrings.FRAME), SCORES)
    chat = Generation(system=xsum.INSTRUCTION, max_new_tokens=40)
    yield {"system": "zero-shot", **fixed}, lambda: asked(chat, test, SCORES)


def docstring_ablations() -> Iterator[tuple[dict, callable]]:
    """Validation ROUGE after 100 rows: whole texts, and texts cut to their first 30 words."""
    validation = sample(corpora.load(CORPUS).data["validation"], TEST_ROWS, 0)
    for words in (0, 30):
        about = {"system": "fine-tuned", "train_rows": ABLATION_ROWS, "seed": 0, "words": words}
        test = framed(cut(validation, words), docstrings.FRAME)
        yield about, lambda words=words, test=test: answered(TASK, *_run(ABLATION_ROWS, 0, words), test, SCORES)


EXPERIMENTS = {"docstrings": docstring_summaries, "docstrings-ablations": docstring_ablations, "xsum": news_summaries}


def cut(data, words: int = NEWS_WORDS):
    """The rows with the first so many words of their prompts; 0 keeps them whole."""
    return data.map(lambda row: {"prompt": " ".join(row["prompt"].split()[: words or None])})


@lru_cache(maxsize=1)
def _run(rows: int, seed: int, words: int = 0) -> tuple[Run, Watch]:
    """A decoder fine-tuned on docstrings; the last one is kept for an experiment that follows."""
    train = cut(sample(corpora.load(CORPUS).data["train"], rows, seed), words)
    recipe = Recipe(**RECIPE, seed=seed)
    return trained(TASK, framed(train, docstrings.FRAME), recipe)
