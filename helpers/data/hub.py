"""Data sets in the layout of the Hub: from a local folder, or from the Hub itself at scale `gpu`."""

import pandas as pd
from datasets import DatasetDict, load_dataset

from helpers.data.corpus import SPLITS, Corpus, text_corpus
from helpers.data.splits import deduplicated, normalised, split
from helpers.errors import AssetError


def load(name: str, *, scale: str, config: str | None = None) -> DatasetDict:
    """The data set called `name`, or in the local folder `name`; no code of the data set is run.

    Raises AssetError if it cannot be read; the message names the remedy for a missing network.
    """
    try:
        return load_dataset(name, config)
    except (OSError, RuntimeError, ValueError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise AssetError(
            f"data set '{name}' could not be loaded at scale '{scale}' ({reason}); connect to the network, "
            "pass the path of a local copy, or set SFT_SCALE=laptop"
        ) from error


def published(data: DatasetDict, **about: str) -> Corpus:
    """A corpus from `train` and `test` with the columns `text` and `label`; validation is cut from train.

    The test set stays as others report on it, row by row; texts that stand there too leave train.
    Labels are named by their feature, or by the column `label_text`. `about` holds name, source, licence and unit.
    """
    frames = {name: _named(data[name]) for name in ("train", "test")}
    key = {name: normalised(frame["text"]) for name, frame in frames.items()}
    leaks = key["train"].isin(set(key["test"]))
    unique, removed = deduplicated(frames["train"][~leaks])
    parts = split(unique, test=0.1, validation=0.1)
    validation = pd.concat([parts["validation"], parts["test"]])  # both cuts of train serve to choose
    names = getattr(data["train"].features["label"], "names", None) or sorted(set(pd.concat(frames)["label"]))
    frames |= {"train": parts["train"], "validation": validation}
    frames = {name: frames[name] for name in SPLITS}
    return text_corpus(
        {name: frame[["text", "label"]] for name, frame in frames.items()},
        names,
        split_rule="test as published, validation a stratified fifth of train",
        removed=removed | {"train row that stands in test": int(leaks.sum())},
        **about,
    )


def _named(part) -> pd.DataFrame:
    frame = part.to_pandas()
    if "label_text" not in frame:
        names = part.features["label"].names
        frame["label_text"] = [names[label] for label in frame["label"]]
    return frame[["text", "label_text"]].rename(columns={"label_text": "label"})
