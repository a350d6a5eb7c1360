"""Signs that a run has not learnt what its rows hold: each is one sentence with the number and what to do about it."""

import math
from collections.abc import Iterator, Sequence
from typing import Any

from datasets import Dataset
from transformers import PreTrainedTokenizerBase

from helpers.training.loop import Run

UNREADABLE = 0.05  # a share of unknown tokens, or of replacement characters, above which a model misses too much
REPLACEMENT = "\N{REPLACEMENT CHARACTER}"  # what a decoder of bytes writes for those that it cannot read
MULTILINGUAL = "multilingual"  # the role whose models read about 100 languages
SURE = 0.2  # of the way from chance to certainty: a highest probability below this means that nothing was learnt
CHANCE = 0.1  # a loss within this share of log C is chance; one below this share in the first epoch is too easy
FALLING, LEARNT = 0.8, 0.5  # the last quarter's loss over the third's; over the first's, where most was learnt
LATE = 0.1  # the share of the gain in all evaluations that the last one alone must bring to be told
_NO_TEXT = ("group", "date", "source", "role")  # columns and keys whose strings no model reads


def unreadable_share(tokenizer: PreTrainedTokenizerBase, texts: Sequence[str]) -> tuple[float, float]:
    """The share of tokens that are unknown to a model, and of characters that are U+FFFD; 0 and 0 for no texts."""
    texts = list(texts)
    ids = tokenizer(texts, add_special_tokens=False, verbose=False)["input_ids"] if texts else []
    tokens, unknown = sum(map(len, ids)), sum(row.count(tokenizer.unk_token_id) for row in ids)
    characters, replaced = sum(map(len, texts)), sum(text.count(REPLACEMENT) for text in texts)
    return unknown / max(1, tokens), replaced / max(1, characters)


def unreadable(tokenizer: PreTrainedTokenizerBase, rows: Dataset) -> list[str]:
    """One sentence each if more than a twentieth of what the rows hold is unknown to the model, or was lost before."""
    unknown, replaced = unreadable_share(tokenizer, texts_of(rows))
    told = []
    if unknown > UNREADABLE:
        told.append(
            f"{unknown:.0%} of the tokens of the training rows are unknown to this model, which cannot tell them "
            f"apart; take a model that was trained on such texts, such as --model {MULTILINGUAL}, which reads about "
            "100 languages"
        )
    if replaced > UNREADABLE:
        told.append(
            f"{replaced:.0%} of the characters of the training rows are U+FFFD, which stands for a character that was "
            "lost; write the file again from its source, in UTF-8"
        )
    return told


def texts_of(rows: Dataset) -> list[str]:
    """All strings of the rows that a model may read: texts, words, turns, questions and answers."""
    return list(_strings({name: rows[name][:] for name in rows.column_names}))


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, item in value.items():
            if key not in _NO_TEXT:
                yield from _strings(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _strings(item)


def of_collapse(run: Run, predictions: Sequence, references: Sequence) -> list[str]:
    """One sentence for each sign that the run has collapsed or ended too early.

    Args:
        predictions, references: of the validation rows, by the run's model.
    """
    found = [
        _one_label(run, predictions, references),
        _silent(run, predictions, references),
        _unsure(run, predictions),
        _loss_of_chance(run),
        _falling(run),
        _best_at_the_end(run, len(references)),
    ]
    return [sentence for sentence in found if sentence]


def _one_label(run: Run, predictions: Sequence, references: Sequence) -> str | None:
    counts = run.task.label_counts(predictions, references)
    if counts is None or len(counts[0]) > 1 or len(counts[1]) < 2:
        return None
    given, true = counts
    name = next(iter(given), None)
    what = "no label is given to any" if name is None else f"'{name}' is all that is predicted for the"
    share = "" if name is None else f", where it is right for {true[name] / sum(true.values()):.0%}"
    return (
        f"{what} {len(references):,} validation rows{share}: the model does not tell the labels apart; train for more "
        "steps (--epochs, or a smaller --batch-rows), try another --learning-rate, or give more rows of other labels"
    )


def _silent(run: Run, predictions: Sequence, references: Sequence) -> str | None:
    """Whether the answers are worth no more than none, by two standard errors of the rows' differences."""
    silent = run.task.silent(references)
    if silent is None or len(silent) < 2:
        return None
    scores = run.task.per_row(predictions, references)
    gained = scores - silent
    if gained.mean() > 2 * gained.std(ddof=1) / math.sqrt(len(gained)):
        return None
    return (
        f"{run.task.selection_metric} is {scores.mean():.3f} on the {len(silent):,} validation rows, and "
        f"{silent.mean():.3f} for answering nothing: the answers are worth no more than silence; train for more steps "
        "(--epochs), try another --learning-rate, or give more rows that have an answer"
    )


def _unsure(run: Run, predictions: Sequence) -> str | None:
    highest, classes = run.task.certainty(predictions), run.task.classes
    if highest is None or highest >= 1 / classes + SURE * (1 - 1 / classes):  # 0.6 for two classes
        return None
    return (
        f"the highest probability of any validation row is {highest:.2f}, where chance is {1 / classes:.2f}: the model "
        "is sure of nothing, right or wrong; train for more steps (--epochs) or raise --learning-rate"
    )


def _loss_of_chance(run: Run) -> str | None:
    """Whether the loss never left that of chance, log C, or is so low from the beginning that rows give labels away."""
    classes = run.task.classes
    if classes is None or classes < 2:
        return None
    chance, epochs = math.log(classes), run.history.groupby("epoch")["loss"].mean()
    if epochs.min() > (1 - CHANCE) * chance:
        return (
            f"the loss was {epochs.iloc[0]:.2f} in the first epoch and never below {epochs.min():.2f}, where chance is "
            f"log {classes} = {chance:.2f}: nothing was learnt; train for more steps (--epochs), try another "
            "--learning-rate, or look whether the labels fit the rows"
        )
    if epochs.iloc[0] < CHANCE * chance:
        return (
            f"the loss was {epochs.iloc[0]:.3f} from the first epoch, below a tenth of log {classes} = {chance:.2f}: "
            "the rows are very easy, or nearly all have one label, or their texts give it away; read some of them"
        )
    return None


def _falling(run: Run) -> str | None:
    losses = run.history["loss"]
    steps, quarter = len(losses), len(losses) // 4
    if quarter < 3:  # the loss of single steps says little
        return None
    starts = (0, steps - 2 * quarter, steps - quarter)
    first, third, last = (losses.iloc[start : start + quarter].mean() for start in starts)
    if last >= FALLING * third or last <= LEARNT * first:
        return None
    return (
        f"the loss was still falling at the end, from {third:.2f} to {last:.2f} in the last quarter of the steps: "
        f"train for more than {run.recipe.epochs} epochs (--epochs)"
    )


def _best_at_the_end(run: Run, rows: int) -> str | None:
    key = f"validation_{run.task.selection_metric}"
    if run.best is None or run.history[key].notna().sum() < 3:
        return None
    scores = run.history[key].dropna().tolist()
    gain = scores[-1] - max(scores[:-1])
    if gain < max(LATE * (scores[-1] - scores[0]), 0.5 / math.sqrt(rows)):  # the largest standard error of a share
        return None
    return (
        f"the last of {len(scores)} evaluations was the best, {key.removeprefix('validation_')} {scores[-1]:.3f} after "
        f"{max(scores[:-1]):.3f}: train for more than {run.recipe.epochs} epochs (--epochs)"
    )
