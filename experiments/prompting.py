"""How a decoder that nobody trained is asked: with examples before the prompt, or with a schema for its answer."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from datasets import Dataset
from transformers import AutoModel

from helpers import Generation, Predictor, models
from helpers.models.embedding import embed
from helpers.models.inference import half_precision

ROOM = 64  # tokens of an answer


def drawn(train: Dataset, test: Dataset, shots: int, seed: int) -> list[str]:
    """What stands before the prompt of each test row: the same examples, drawn once."""
    return [_examples(train, np.random.default_rng(seed).permutation(len(train))[:shots])] * len(test)


def nearest(train: Dataset, test: Dataset, shots: int) -> list[str]:
    """The examples whose vectors are nearest to that of each test row, the nearest last."""
    body = models.load(AutoModel)
    vectors = [embed(body, models.tokenizer(), part["prompt"]) for part in (train, test)]
    unit = [part / np.linalg.norm(part, axis=1, keepdims=True) for part in vectors]
    near = np.argsort(unit[1] @ unit[0].T, axis=1)[:, -shots:]  # (N, shots)
    return [_examples(train, places) for places in near]


def _examples(train: Dataset, places: np.ndarray) -> str:
    return "".join(f"{train[int(i)]['prompt']}{train[int(i)]['completion']}\n\n" for i in places)


def first_lines(task: Generation, before: Sequence[str], rows: Dataset) -> list[str]:
    """The first line that the untrained decoder writes after each row's prompt and what stands before it."""
    model, tokenizer = task.build(), models.tokenizer("decoder")
    whole = [start + prompt for start, prompt in zip(before, rows["prompt"], strict=True)]
    encoded = task.encode(tokenizer, Dataset.from_dict({"prompt": whole}))
    with half_precision(model.device):
        texts = task.generate(model, tokenizer, encoded).texts
    return [text.partition("\n")[0].strip() for text in texts]


def by_schema(file: Path, prompts: Sequence[str | list[dict]], schema: dict) -> list[str]:
    """What llama.cpp writes after prompts, or turns, where a grammar leaves no token that does not fit the schema."""
    from helpers.export.llama import Llama

    settings = {"max_tokens": ROOM, "temperature": 0.0, "json_schema": schema}
    with Llama(file, 2048) as llama:
        told = [
            llama.server.handle_completions({"prompt": prompt, **settings})["choices"][0]["text"]
            if isinstance(prompt, str)
            else llama.server.handle_chat_completions({"messages": prompt, **settings})["choices"][0]["message"][
                "content"
            ]
            for prompt in prompts
        ]
    return told


def in_gguf(predictor: Predictor, folder: Path) -> Path:
    """A trained decoder as a file of llama.cpp, in `folder`."""
    from helpers.export import gguf_file
    from helpers.export.formats import FORMATS

    form = FORMATS["gguf"]
    gguf_file.write(predictor, form, folder)
    return folder / form.file
