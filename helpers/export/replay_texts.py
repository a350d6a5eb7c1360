"""The same prompts through PyTorch and through an exported decoder in llama.cpp, compared token by token."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from datasets import Dataset
from transformers import PreTrainedModel

from helpers.errors import InputError
from helpers.export import gguf_file, ollama
from helpers.export.certificate import Certificate, compared
from helpers.export.formats import Format
from helpers.export.llama import RUNTIME, Llama, Written
from helpers.models.inference import evaluating
from helpers.tasks.base import Predictor
from helpers.tasks.generation.chat import ChatTemplate
from helpers.workflow.finetune import groups_of

PERCENT = 100.0  # the largest chrF
NEAR = 0.1  # nats between an end and the likeliest token of PyTorch: two programs that are each 0.05 off may differ so
_FAULTS = {
    "passed_a_stop": "go on after a token that ends answers",
    "cut_short": "end where PyTorch goes on, as at a token that llama.cpp takes for an end by its name; "
    + gguf_file.INSTEAD,
}


@dataclass(frozen=True)
class _Prompt:
    """A prompt as PyTorch reads it, as llama.cpp is given it, and how many tokens may follow."""

    ids: list[int]
    given: str | list[dict]
    limit: int


@dataclass(frozen=True)
class _Judged:
    """What PyTorch makes of an answer of llama.cpp: the largest difference, and whether it would write the same.

    Attributes:
        cut_short: it ends without a token that ends answers, and PyTorch would go on: where only tokens that were
            written are compared, nothing else tells an answer that is not written.
    """

    largest: float
    same: bool
    passed_a_stop: bool
    cut_short: bool


def write(predictor: Predictor, form: Format, folder: Path) -> None:
    """Write the GGUF file, Ollama's Modelfile and the task's settings into a folder."""
    task, template = predictor.task, ChatTemplate(predictor.tokenizer, predictor.task.template)
    modelfile = ollama.modelfile(task, template, form.file)  # first, as it may be refused
    gguf_file.write(predictor, form, folder)
    (folder / "Modelfile").write_text(modelfile, encoding="utf-8")
    (folder / "task.json").write_text(json.dumps(task.to_dict(), indent=2, ensure_ascii=False), encoding="utf-8")


def certificate(predictor: Predictor, folder: Path, form: Format, rows: Dataset, data: str) -> Certificate:
    """Let the file answer the prompts of labelled rows, and PyTorch judge each token that it wrote.

    PyTorch reads prompt and answer at once: where each token is also its own likeliest, it would have written the same.
    Only where one is not does it write an answer of its own.

    An answer that ends where PyTorch would go on is a fault, however alike the tokens before are.

    Prompts that are cut to the length of the model are left out, as llama.cpp is given text.
    """
    task, model = predictor.task, predictor.model
    texts, ends = task.reported_task(predictor.tokenizer), ChatTemplate(predictor.tokenizer, task.template).ends()
    encoded = texts.encode(predictor.tokenizer, rows)
    whole = [place for place, row in enumerate(encoded) if not row["cut"]]
    if not whole:
        raise InputError(f"every prompt of {data} is longer than the model reads; give shorter ones")
    rows, encoded = rows.select(whole), encoded.select(whole)
    prompts = _prompts(predictor, rows, encoded)
    written = _answered(folder / form.file, prompts, model.config.max_position_embeddings)
    judged = [_judged(model, prompt, answer, ends) for prompt, answer in zip(prompts, written, strict=True)]
    counts = {sentence: sum(getattr(each, name) for each in judged) for name, sentence in _FAULTS.items()}
    faults = tuple(f"{count} of its answers {sentence}" for sentence, count in counts.items() if count)
    theirs = [answer.text for answer in written]
    ours = _own(predictor, encoded, written, [each.same for each in judged])
    return Certificate(
        form=form,
        runtime=RUNTIME,
        data=data,
        n=len(rows),
        equal=float(np.mean([one == other for one, other in zip(ours, theirs, strict=True)])),
        largest=float(np.max([each.largest for each in judged])),  # keeps what is not a number, which max() may drop
        scale=PERCENT,
        faults=faults,
        **compared(texts, theirs, ours, texts.references(encoded), groups_of(rows)),
    )


def _prompts(predictor: Predictor, rows: Dataset, encoded: Dataset) -> list[_Prompt]:
    task, window = predictor.task, predictor.tokenizer.model_max_length
    if task.template == "plain":
        given = rows["prompt"][:]
    else:
        chats = task.conversations(rows)
        given = [[{key: turn[key] for key in ("role", "content")} for turn in _asked(turns)] for turns in chats]
    all_ids = [row["asked"] or row["input_ids"][: row["prompt_tokens"]] for row in encoded]
    limits = [max(1, min(task.max_new_tokens, window - len(ids))) for ids in all_ids]
    return [_Prompt(*each) for each in zip(all_ids, given, limits, strict=True)]


def _asked(turns: list[dict]) -> list[dict]:
    """The turns without the last answer."""
    return turns[:-1] if turns[-1]["role"] == "assistant" else turns


def _answered(path: Path, prompts: Sequence[_Prompt], window: int) -> list[Written]:
    """What llama.cpp writes after each prompt; InputError if it reads one as other tokens than the model does."""
    longest = max(len(prompt.ids) + prompt.limit for prompt in prompts)
    with Llama(path, min(window, longest + 8)) as llama:
        other = [place for place, prompt in enumerate(prompts, start=1) if llama.read(prompt.given) != prompt.ids]
        if other:
            raise InputError(
                f"llama.cpp reads {len(other)} of {len(prompts)} prompts as other tokens than the model has learnt "
                f"from, the first is number {other[0]}: template or vocabulary differ; {gguf_file.INSTEAD}"
            )
        return [llama.answer(prompt.given, prompt.limit) for prompt in prompts]


def _judged(model: PreTrainedModel, prompt: _Prompt, answer: Written, ends: Sequence[int]) -> _Judged:
    """Read a prompt and the answer to it by PyTorch, in fp32."""
    ids = torch.tensor([prompt.ids + answer.ids], device=model.device)  # (1, T)
    with evaluating(model):
        logits = model(input_ids=ids, use_cache=False).logits[0, len(prompt.ids) - 1 :].float()  # (W + 1, V)
    log_p, likeliest = logits.log_softmax(-1).cpu(), logits.argmax(-1).tolist()
    own = [log_p[place, token].item() for place, token in enumerate(answer.ids)]
    differences = [abs(one - other) for one, other in zip(own, answer.log_p, strict=True)]
    closed = bool(answer.ids) and answer.ids[-1] in ends
    body = answer.ids[:-1] if closed and answer.ended else answer.ids
    finish = likeliest[len(body)] in ends if answer.ended else len(answer.ids) == prompt.limit
    same = likeliest[: len(body)] == body and finish
    end = max((log_p[len(body), token].item() for token in ends), default=-math.inf)
    cut_short = answer.ended and not closed and not end >= log_p[len(body)].max().item() - NEAR
    largest = float(np.max(differences, initial=0.0))
    return _Judged(largest, same, any(token in ends for token in body), cut_short)


def _own(predictor: Predictor, encoded: Dataset, answers: Sequence[Written], same: Sequence[bool]) -> list[str]:
    """The answers of PyTorch: the same tokens as llama.cpp's where these are likeliest, else written anew."""
    task, tokenizer = predictor.task, predictor.tokenizer
    lead = ChatTemplate(tokenizer, task.template).lead()
    texts = [tokenizer.decode(answer.ids, skip_special_tokens=True).removeprefix(lead) for answer in answers]
    other = [place for place, equal in enumerate(same) if not equal]
    if other:
        written = task.generate(predictor.model, tokenizer, encoded.select(other)).texts
        for place, text in zip(other, written, strict=True):
            texts[place] = text
    return texts
