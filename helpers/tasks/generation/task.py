"""Text generation: a decoder learns to answer a prompt, and its loss counts the answer alone.

A row is a pair of columns `prompt` and `completion`, or a list `messages` of {"role", "content"} whose last turn is
the assistant's. Without completion (or last assistant turn) a row can only be answered, not learnt from. An assistant's
turn with `"weight": 0` is read and not learnt; `helpers.tasks.turns` says what else a turn may hold.

    task = Generation(system="Translate to French.")
    run = fit(task, task.build(), tokenizer, train, validation)       # log-likelihood of validation rows chooses
    rows = task.encode(tokenizer, test)
    task.score(task.predict(run.model, rows), task.references(rows))  # log-likelihood and perplexity
    task.generate(run.model, tokenizer, rows).texts                   # what the model writes, in the rows' order

Three things go wrong silently elsewhere, so they are built in here. Which token counts is written down while the
tokens are made, never found afterwards by searching; the end of a turn always counts, so that the model learns to
stop; a completion is never cut, and the tokens that a prompt loses are counted in a warning.
"""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from datasets import Dataset
from torch import Tensor, nn
from transformers import AutoModelForCausalLM, PreTrainedModel, PreTrainedTokenizerBase

from helpers import models
from helpers.data.batching import pack
from helpers.data.corpus import Corpus
from helpers.errors import InputError
from helpers.models import lora, stored
from helpers.models.fast import cheap_parts_again
from helpers.models.inference import BATCH_TOKENS
from helpers.tasks.base import IGNORE
from helpers.tasks.generation.chat import ChatTemplate
from helpers.tasks.generation.decoding import generate
from helpers.tasks.generation.rows import Room, Row, Segment, segments
from helpers.tasks.turns import as_turn, check_turns
from helpers.tasks.writing import Generated, WritingTask, row_numbers, warn_of_cuts
from helpers.text import half_character

_CHOICES = {
    "template": ("chat", "plain"),
    "supervise": ("completion", "all"),
    "base_dtype": (None, *stored.DTYPES),
    "lora_saved": ("merged", "merged-bf16", "adapter"),
}


@dataclass(frozen=True)
class Generation(WritingTask):
    """A text that a decoder writes after a prompt.

    Attributes:
        template: `chat` frames the turns as the tokenizer's chat template says; `plain` writes the completion straight
            after the prompt and ends it with the tokenizer's end token.
        system: the system turn of rows with `prompt`; None leaves it to the template, which may insert its own.
        supervise: `completion` counts the assistant's tokens and the end of its turn; `all` counts the prompt as well,
            as in pretraining.
        max_length: tokens of a row, frame and completion included; a prompt that leaves no room for max_new_tokens, or
            for its longer completion, is cut at its end. None cuts nothing and refuses rows that are longer than the
            model reads.
        max_new_tokens: most tokens of an answer in `generate`.
        packed: several rows of a batch share a sequence of at most `packed` tokens, and none sees another; None gives
            each row its own sequence. The step is the same, only the padding differs.
        lora_rank: `build` freezes the model and adds LoRA matrices of this rank (`helpers.models.lora`); None trains
            the weights themselves.
        base_dtype: what the frozen weights are kept in beside LoRA, fp32, bf16 or nf4 (`helpers.models.stored`); None
            takes the first that leaves half of the free memory to the rest.
        lora_saved: how a model with LoRA matrices is saved: `merged` into plain weights in fp32, `merged-bf16` into
            weights rounded to half the size, or the `adapter` alone, which needs its base model to be loaded.
    """

    template: str = "chat"
    system: str | None = None
    supervise: str = "completion"
    max_length: int | None = None
    max_new_tokens: int = 64
    packed: int | None = None
    lora_rank: int | None = None
    base_dtype: str | None = None
    lora_saved: str = "merged"

    name = "generation"
    auto_class = AutoModelForCausalLM
    pipeline_tag = "text-generation"
    default_model = "decoder"

    def __post_init__(self):
        for field, choices in _CHOICES.items():
            if getattr(self, field) not in choices:
                known = " or ".join(filter(None, choices))
                raise InputError(f"{field} '{getattr(self, field)}' is unknown; choose {known}")
        if self.lora_rank is None and (self.base_dtype or self.lora_saved != "merged"):
            name = "base_dtype" if self.base_dtype else "lora_saved"
            raise InputError(_without_lora(name, getattr(self, name)))
        for field in ("max_length", "max_new_tokens", "packed", "lora_rank"):
            value = getattr(self, field)
            if value is not None and value < 1:
                raise InputError(f"{field} {value} must be at least 1")
        if self.max_length is not None and self.max_length <= self.max_new_tokens:
            raise InputError(
                f"max_length {self.max_length} leaves no token for a prompt beside max_new_tokens "
                f"{self.max_new_tokens}; raise the one (--max-length) or lower the other (--max-new-tokens)"
            )
        if self.system is not None and self.template == "plain":
            raise InputError("the plain template has no place for a system turn; put it into the prompts")
        if half_character(self.system or ""):
            raise InputError(
                f"the system turn {self.system!r} holds half a character (a lone surrogate); write whole ones"
            )

    @classmethod
    def for_corpus(cls, corpus: Corpus, **settings: Any) -> "Generation":
        """The task for a corpus; InputError for a way to save LoRA that is asked for without LoRA."""
        if settings.get("lora_saved") and not settings.get("lora_rank"):
            raise InputError(_without_lora("lora_saved", settings["lora_saved"]))
        return super().for_corpus(corpus, **settings)

    def encode(self, tokenizer: PreTrainedTokenizerBase, data: Dataset) -> Dataset:
        """Turn rows into tokens, row by row.

        A row has the tokens of the template's text, cut only where an answer begins or ends, so a prompt has the same
        tokens in training and when it is answered; a text that spells a special token stays text. How far a prompt is
        cut does not depend on its completion, unless that is longer than max_new_tokens.

        Returns the columns input_ids; counts (1 where the token adds to the loss, else 0); prompt_tokens (tokens before
        the last completion); cut (tokens that the prompt lost); asked (the prompt as `generate` reads it, where a long
        completion has cut it further, else empty). A warning states how many prompts were cut.

        Raises InputError, with the row (the column `row`, if there is one, else its number), for an empty prompt or
        completion, a role that the template has not, a second system turn, an order of turns that the template refuses,
        a tokenizer without the template, and rows that do not fit.
        """
        template, numbers = ChatTemplate(tokenizer, self.template), row_numbers(data)
        chats = zip(numbers, self.conversations(data), strict=True)
        parts = [template.parts(turns, number) for number, turns in chats]
        room, start = Room(tokenizer.model_max_length, self.max_length, self.max_new_tokens), Segment(template.start())
        rows = [room.taken([start, *row]) for row in segments(tokenizer, parts)]
        long = [i for i, row in enumerate(rows) if row is None]
        for i, row in zip(long, segments(tokenizer, [parts[i] for i in long], apart=True), strict=True):
            rows[i] = room.cut([start, *row], numbers[i])
        warn_of_cuts(data, [row.cut for row in rows], room.limit)
        return Dataset.from_list([self._columns(row) for row in rows])

    def conversations(self, data: Dataset) -> Iterator[list[dict]]:
        """The turns of each row, checked; the last is the assistant's in all rows or in none."""
        if "messages" in data.column_names:
            if self.template == "plain":
                raise InputError("the plain template takes prompt and completion, not messages; use template chat")
            if self.system is not None:
                raise InputError("a system turn is given for rows that are whole chats; write it into their messages")
            chats = zip(row_numbers(data), data["messages"], strict=True)
            rows = [[as_turn(turn, f"row {number}") for turn in turns or []] for number, turns in chats]
        else:
            rows = [self._pair(row) for row in data]
        learn = bool(rows) and bool(rows[0]) and rows[0][-1]["role"] == "assistant"
        for number, turns in zip(row_numbers(data), rows, strict=True):
            check_turns(turns, f"row {number}", learn)
            yield turns

    def _pair(self, row: dict) -> list[dict]:
        turns = [] if self.system is None else [{"role": "system", "content": self.system}]
        turns.append({"role": "user", "content": row["prompt"]})
        return turns + ([{"role": "assistant", "content": row["completion"]}] if "completion" in row else [])

    def _columns(self, row: Row) -> dict:
        """A row as `encode` returns it; no token counts where an answer is to be written."""
        before, answer = row.sizes
        every = self.supervise == "all"  # but for answers that are context
        counts = [answer > 0 and (part.counts or (every and not part.answer)) for part in row.parts for _ in part.ids]
        counts[0] = False  # nothing stands before it that could predict it
        counts = [int(each) for each in counts]
        return {"input_ids": row.ids, "counts": counts, "prompt_tokens": before, "cut": row.cut, "asked": row.asked}

    def build(self, model: str | None = None, *, pretrained: bool = True, seed: int = 0) -> PreTrainedModel:
        """The pretrained decoder with the output layer it came with, and LoRA beside it where a rank is set."""
        if self.lora_rank is None:
            return super().build(model, pretrained=pretrained, seed=seed)
        name, kept = model or self.default_model, self.base_dtype
        if kept is None:
            kept = stored.fitting(models.weight_count(self.auto_class, name))
        settings = {"pretrained": pretrained, "seed": seed, "dtype": stored.read_in(kept)}
        built = models.load(self.auto_class, name, **settings)
        return lora.add(built, self.lora_rank, base_dtype=kept, seed=seed)

    def settled(self, model: nn.Module) -> "Generation":
        """This task with the type that `build` has chosen for the frozen weights of a model."""
        return self if self.lora_rank is None else replace(self, base_dtype=stored.dtype_of(model))

    def collate(self, rows: list[dict], pad_id: int) -> dict[str, Tensor]:
        """Encoded rows as input_ids and labels (B, T), padded on the right; packed rows with position_ids (B, T).

        There is no attention mask: no token sees a later one, so padding on the right is seen by padding alone. In a
        packed sequence the positions start at 0 with each row; that is how attention knows where a row ends.
        """
        if self.packed is None:
            return _collated(rows, [[i] for i in range(len(rows))], pad_id)
        groups = pack([len(row["input_ids"]) for row in rows], self.packed)
        return _collated(rows, groups, pad_id) | {"position_ids": _positions(rows, groups)}

    def loss(self, model: nn.Module, batch: dict[str, Tensor]) -> Tensor:
        """Cross-entropy -log p(token | tokens before it), summed over the tokens that count; scalar."""
        return token_losses(model, batch).sum()

    def apart(self) -> "Generation":
        """This task without packing."""
        return replace(self, packed=None)

    def fast_path(self, model: nn.Module) -> AbstractContextManager:
        """Backward recomputes what is cheap to compute."""
        return cheap_parts_again(model)

    def outputs(self, model: nn.Module, batch: dict[str, Tensor]) -> np.ndarray:
        """log p of the tokens that count of each row, summed over them, in nats, shape (B,), float64."""
        owners = (batch["labels"][:, 1:] != IGNORE).nonzero()[:, 0].cpu()  # (n,)
        losses = token_losses(model, batch).cpu().double()  # (n,)
        return -torch.bincount(owners, losses, minlength=len(batch["labels"])).numpy()

    def infer(self, model: PreTrainedModel, encoded: Dataset, *, batch_tokens: int = BATCH_TOKENS) -> list:
        """As for all tasks; rows that are packed for training are read one by one."""
        if self.packed is not None:
            return self.apart().infer(model, encoded, batch_tokens=batch_tokens)
        return super().infer(model, encoded, batch_tokens=batch_tokens)

    def generate(
        self, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, encoded: Dataset, **settings: Any
    ) -> Generated:
        """Answer the prompts of encoded rows; completions that the rows hold are not shown to the model.

        Args:
            settings: see `decoding.generate`: beams, temperature, top_p, seed, batch_rows, batch_tokens.
        """
        template = ChatTemplate(tokenizer, self.template)
        about = {"ends": template.ends(), "max_new_tokens": self.max_new_tokens} | settings
        answers, lead = generate(model, tokenizer, encoded, **about), template.lead()
        return replace(answers, texts=[text.removeprefix(lead) for text in answers.texts])


def token_losses(model: nn.Module, batch: dict[str, Tensor]) -> Tensor:
    """-log p of each token that counts, row after row, shape (n,).

    The output layer sees the n hidden states that predict these tokens and no other: with a vocabulary of 50,000 and
    long prompts, logits for all T positions would cost more than the rest of the model.
    """
    labels = batch["labels"][:, 1:]  # (B, T - 1)
    counts = labels != IGNORE
    inputs = {name: value for name, value in batch.items() if name != "labels"}
    with _logits_at(model, counts):
        logits = model(**inputs, use_cache=False).logits.float()  # (n, V)
    return nn.functional.cross_entropy(logits, labels[counts], reduction="none")


@contextmanager
def _logits_at(model: nn.Module, mask: Tensor) -> Iterator[None]:
    """While this lasts, the output layer reads the hidden states (B, T, D) where `mask` (B, T - 1) is true: (n, D).

    A hook, and not a call of body and head, because autocast and data parallelism live in the model's own `forward`.
    """
    body = model.module if hasattr(model, "module") else model
    head = body.get_output_embeddings()
    hook = head.register_forward_pre_hook(lambda _, inputs: (inputs[0][:, :-1][mask], *inputs[1:]))
    try:
        yield
    finally:
        hook.remove()


def _collated(rows: list[dict], groups: Sequence[Sequence[int]], pad_id: int) -> dict[str, Tensor]:
    """One sequence a group of rows, padded on the right: input_ids and labels, (B, T)."""
    width = max(sum(len(rows[i]["input_ids"]) for i in group) for group in groups)
    ids = torch.full((len(groups), width), pad_id)
    labels = torch.full((len(groups), width), IGNORE)
    for g, group in enumerate(groups):
        tokens = torch.tensor([token for i in group for token in rows[i]["input_ids"]])
        counts = torch.tensor([count for i in group for count in rows[i]["counts"]], dtype=torch.bool)
        ids[g, : len(tokens)] = tokens
        labels[g, : len(tokens)] = tokens.where(counts, IGNORE)
    return {"input_ids": ids, "labels": labels}


def _positions(rows: list[dict], groups: Sequence[Sequence[int]]) -> Tensor:
    """Positions of the tokens in their rows, (B, T), each row and each padding from 0."""
    lengths = [[len(rows[i]["input_ids"]) for i in group] for group in groups]
    width = max(map(sum, lengths))
    return torch.stack([torch.cat([torch.arange(n) for n in (*row, width - sum(row))]) for row in lengths])


def _without_lora(field: str, value: str) -> str:
    return f"{field} '{value}' has no meaning without LoRA; give lora_rank (--lora-rank), or leave it out"
