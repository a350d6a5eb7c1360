"""Text generation: a decoder learns to answer a prompt, and its loss counts the answer alone.

A row is a pair of columns `prompt` and `completion`, or a list `messages` of {"role", "content"} whose last turn is
the assistant's. Without completion (or last assistant turn) a row can only be answered, not learnt from.

    task = Generation(system="Translate to French.")
    run = fit(task, task.build(), tokenizer, train, validation)       # log-likelihood of validation rows chooses
    rows = task.encode(tokenizer, test)
    task.score(task.predict(run.model, rows), task.references(rows))  # log-likelihood and perplexity
    task.generate(run.model, tokenizer, rows).texts                   # what the model writes, in the rows' order

Three things go wrong silently elsewhere, so they are built in here. Which token counts is written down while the
tokens are made, never found afterwards by searching; the end of a turn always counts, so that the model learns to
stop; a completion is never cut, and the tokens that a prompt loses are counted and told.
"""

import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from datasets import Dataset
from jinja2 import TemplateError
from torch import Tensor, nn
from tqdm import tqdm
from transformers import AutoModelForCausalLM, GenerationConfig, PreTrainedModel, PreTrainedTokenizerBase

from helpers import adapters, models
from helpers.batching import length_batches, on_device, pack
from helpers.errors import InputError
from helpers.progress import watched
from helpers.recompute import cheap_parts_again
from helpers.texts import check_whole, half_character
from helpers.turns import check_turns

IGNORED = -100  # the label of a token that does not count, as everywhere in PyTorch
_CHOICES = {"template": ("chat", "plain"), "supervise": ("completion", "all")}


@dataclass(frozen=True)
class Generation:
    """What is special about writing texts; `helpers.training` knows the rest.

    Attributes:
        template: `chat` frames the turns as the tokenizer's chat template says; `plain` writes the completion straight
            after the prompt and ends it with the tokenizer's end token.
        system: the system turn of rows with `prompt`; None leaves it to the template, which may insert its own.
        supervise: `completion` counts the assistant's tokens and the end of its turn; `all` counts the prompt as well,
            as in pretraining.
        max_length: tokens of a row, frame and completion included; the end of a longer prompt is cut. None cuts
            nothing and refuses rows that are longer than the model reads.
        max_new_tokens: most tokens of an answer in `generate`.
        packed: several rows of a batch share a sequence of at most so many tokens, and none sees another; None gives
            each row a sequence. The step is the same, only the padding differs.
        lora_rank: `build` freezes the model and adds LoRA matrices of this rank (`helpers.adapters`); None trains the
            weights themselves.
    """

    template: str = "chat"
    system: str | None = None
    supervise: str = "completion"
    max_length: int | None = None
    max_new_tokens: int = 64
    packed: int | None = None
    lora_rank: int | None = None

    name = "generation"
    selection = "log_likelihood"  # the validation score that chooses the best weights; higher is better
    head = ()  # the output layer comes with the pretrained model

    def __post_init__(self):
        for field, choices in _CHOICES.items():
            if getattr(self, field) not in choices:
                raise InputError(f"{field} '{getattr(self, field)}' is unknown; choose {' or '.join(choices)}")
        for field in ("max_length", "max_new_tokens", "packed", "lora_rank"):
            value = getattr(self, field)
            if value is not None and value < 1:
                raise InputError(f"{field} {value} must be at least 1")
        if self.system is not None and self.template == "plain":
            raise InputError("the plain template has no place for a system turn; put it into the prompts")
        if half_character(self.system or ""):
            raise InputError(
                f"the system turn {self.system!r} holds half a character (a lone surrogate); write whole ones"
            )

    def encode(self, tokenizer: PreTrainedTokenizerBase, data: Dataset) -> Dataset:
        """Turn rows into tokens, row by row.

        Each text between the template's frames is tokenised alone, so a prompt has the same tokens in training and
        when it is answered, and a text that spells a special token stays text.

        Returns the columns input_ids; counts (1 where the token adds to the loss, else 0); prompt_tokens (tokens before
        the last completion); cut (tokens that the prompt lost). A warning tells how many prompts were cut.

        Raises InputError, with the row (the column `row`, if there is one, else its place), for an empty prompt or
        completion, a role that does not exist, a second system turn, an order of turns that the template refuses, a
        tokenizer without the template, and rows that do not fit.
        """
        frames = _Frames(tokenizer, self.template)
        conversations = list(self._conversations(data))
        contents = [turn["content"] for turns in conversations for turn in turns]
        tokens = iter(_plain_ids(tokenizer, contents))
        made = []
        for number, turns in zip(row_numbers(data), conversations, strict=True):
            parts = frames.around([turn["role"] for turn in turns], [next(tokens) for _ in turns], number)
            cut = self._shorten(parts, tokenizer.model_max_length, number)
            made.append(self._row(parts) | {"cut": cut})
        tell_cuts(data, [row["cut"] for row in made], self.max_length)
        return Dataset.from_list(made)

    def _conversations(self, data: Dataset) -> Iterator[list[dict]]:
        """The turns of each row, checked; the last is the assistant's in all rows or in none."""
        if "messages" in data.column_names:
            if self.template == "plain":
                raise InputError("the plain template takes prompt and completion, not messages; use template chat")
            if self.system is not None:
                raise InputError("a system turn is given for rows that are whole chats; write it into their messages")
            rows = [[dict(turn) for turn in turns or []] for turns in data["messages"]]
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

    def _shorten(self, parts: list["_Part"], window: int, number: int) -> int:
        """Cut prompts at their ends until the row fits; returns how many tokens went."""
        limit = min(window, self.max_length or window)
        room = limit if parts[-1].counts else limit - self.max_new_tokens
        excess = sum(len(part.ids) for part in parts) - room
        if excess > 0 and self.max_length is None:
            raise InputError(
                f"prompt in row {number} needs {room + excess:,} tokens with its frame and the model has {room:,} for "
                "it; shorten it, or set max_length to have prompts cut"
            )
        left = excess
        while left > 0:
            longest = max(parts, key=lambda part: len(part.ids) * part.may_be_cut)
            going = min(left, len(longest.ids) - 1) if longest.may_be_cut else 0
            if going <= 0:
                raise InputError(
                    f"row {number} does not fit into {limit:,} tokens without cutting its completion; raise max_length "
                    "or leave the row out"
                )
            longest.ids = longest.ids[:-going]
            left -= going
        return max(0, excess)

    def _row(self, parts: list["_Part"]) -> dict:
        ids = [token for part in parts for token in part.ids]
        counts = [int(part.counts) for part in parts for _ in part.ids]
        if self.supervise == "all" and parts[-1].counts:
            counts = [1] * len(ids)
        counts[0] = 0  # nothing stands before it that could predict it
        answer = sum(len(part.ids) for part in parts[-2:]) if parts[-1].counts else 0
        return {"input_ids": ids, "counts": counts, "prompt_tokens": len(ids) - answer}

    def build(
        self, model: str = "decoder", *, scale: str | None = None, pretrained: bool = True, seed: int = 0
    ) -> PreTrainedModel:
        """The pretrained decoder with the output layer it came with; drawn anew under `seed` if not `pretrained`."""
        loaded = models.load(AutoModelForCausalLM, model, scale=scale, pretrained=pretrained, seed=seed)
        return loaded if self.lora_rank is None else adapters.add(loaded, self.lora_rank, seed=seed)

    def references(self, data: Dataset) -> np.ndarray:
        """How many tokens of each encoded row count, shape (N,): what log-likelihoods are divided by."""
        return self.supervised(data)

    def supervised(self, data: Dataset) -> np.ndarray:
        """How many terms each row adds to the loss, shape (N,): one a token that counts."""
        return np.array([sum(row) for row in data["counts"]], dtype=np.int64)

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

    def fast_path(self, model: nn.Module):
        """A context in which backward computes again what is cheap; logits exist only where they count, always."""
        return cheap_parts_again(model)

    @torch.inference_mode()
    def predict(
        self, model: PreTrainedModel, data: Dataset, *, pad_id: int = 0, batch_tokens: int = 8192
    ) -> np.ndarray:
        """log p of the tokens that count of each encoded row, summed over them, in nats, shape (N,), float64."""
        lengths = [len(ids) for ids in data["input_ids"]]
        result = np.zeros(len(lengths))
        training = model.training
        model.eval()
        for batch in length_batches(lengths, batch_rows=256, batch_tokens=batch_tokens, shuffle=False):
            made = _collated(data.select(batch).to_list(), [[i] for i in range(len(batch))], pad_id)
            made = on_device(made, model.device)
            owners = (made["labels"][:, 1:] != IGNORED).nonzero()[:, 0].cpu()  # (n,)
            losses = token_losses(model, made).cpu().double()  # (n,)
            result[batch] = -torch.bincount(owners, losses, minlength=len(batch)).numpy()
        model.train(training)
        return result

    def per_row(self, predictions: np.ndarray, references: np.ndarray) -> np.ndarray:
        """log p of each row and the number of tokens behind it, shape (N, 2); `from_counts` makes the score of them."""
        return np.stack([predictions, references], axis=-1)

    @staticmethod
    def from_counts(counts: np.ndarray) -> np.ndarray:
        """Mean log p of a token, shape (...), from log p and tokens, shape (..., 2)."""
        return counts[..., 0] / counts[..., 1]

    def score(self, predictions: np.ndarray, references: np.ndarray) -> dict[str, float]:
        """Mean log p over all tokens that count, in nats, and the perplexity exp(-mean)."""
        mean = float(predictions.sum() / references.sum())
        return {"log_likelihood": mean, "perplexity": float(np.exp(-mean))}

    @torch.inference_mode()
    def generate(
        self,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        data: Dataset,
        *,
        beams: int = 1,
        temperature: float = 0.0,
        top_p: float = 1.0,
        seed: int = 0,
        batch_rows: int = 32,
        batch_tokens: int = 8192,
    ) -> "Generated":
        """Answer the prompts of encoded rows; completions that the rows hold are not shown to the model.

        Prompts of about the same length are answered together, padded on the left. An answer ends where the model's
        window does.

        Args:
            beams: the most likely answer of so many that are kept at each token; 1 is greedy decoding.
            temperature: above 0 draws each token from the softmax of logits / temperature, under `seed`.
            top_p: draw only among the likeliest tokens that together have this probability.
        """
        ends = _Frames(tokenizer, self.template).ends()
        sampling = {"do_sample": True, "temperature": temperature, "top_p": top_p, "top_k": 0} if temperature else {}
        settings = GenerationConfig(
            max_new_tokens=self.max_new_tokens,
            num_beams=beams,
            repetition_penalty=1.0,  # what is not said here, a model's own settings would say
            no_repeat_ngram_size=0,
            eos_token_id=ends,
            pad_token_id=tokenizer.pad_token_id,
            **{"do_sample": False} | sampling,
        )
        prompts = [row["input_ids"][: row["prompt_tokens"]] for row in data]
        lengths, answers = [len(ids) for ids in prompts], [[] for _ in prompts]
        training, began = model.training, time.perf_counter()
        model.eval()
        room = [length + self.max_new_tokens for length in lengths]
        batches = length_batches(room, batch_rows=batch_rows, batch_tokens=batch_tokens, shuffle=False)
        with torch.random.fork_rng(), tqdm(total=len(prompts), unit="row", disable=not watched(), leave=False) as bar:
            torch.manual_seed(seed)
            for batch in batches:
                width = max(lengths[i] for i in batch)  # a labelled row may fill the window, and answers must fit too
                settings.max_new_tokens = max(1, min(self.max_new_tokens, tokenizer.model_max_length - width))
                found = _answers(model, [prompts[i] for i in batch], settings)
                for i, ids in zip(batch, found, strict=True):
                    answers[i] = ids
                bar.update(len(batch))
                bar.set_postfix({"tokens/s": f"{sum(map(len, answers)) / (time.perf_counter() - began):.0f}"})
        model.train(training)
        return Generated(
            texts=[tokenizer.decode(ids, skip_special_tokens=True) for ids in answers],
            tokens=np.array([len(ids) for ids in answers]),
            finished=np.array([bool(ids) and ids[-1] in ends for ids in answers]),
            seconds=time.perf_counter() - began,
        )


@dataclass(frozen=True)
class Generated:
    """Answers in the order of the rows.

    Attributes:
        tokens: of each answer, its end included, shape (N,).
        finished: whether the model ended the answer itself, shape (N,); the others ran into max_new_tokens.
    """

    texts: list[str]
    tokens: np.ndarray
    finished: np.ndarray
    seconds: float

    @property
    def tokens_per_second(self) -> float:
        """Tokens written in a second, over all rows."""
        return float(self.tokens.sum() / self.seconds)


def token_losses(model: nn.Module, batch: dict[str, Tensor]) -> Tensor:
    """-log p of each token that counts, row after row, shape (n,).

    The output layer sees the n hidden states that predict these tokens and no other: with a vocabulary of 50,000 and
    long prompts, logits for all T positions would cost more than the rest of the model.
    """
    labels = batch["labels"][:, 1:]  # (B, T - 1)
    counts = labels != IGNORED
    inputs = {name: value for name, value in batch.items() if name != "labels"}
    with _logits_at(model, counts):
        logits = model(**inputs, use_cache=False).logits.float()  # (n, V)
    return nn.functional.cross_entropy(logits, labels[counts], reduction="none")


@contextmanager
def _logits_at(model: nn.Module, places: Tensor) -> Iterator[None]:
    """While this lasts, the output layer keeps of hidden states (B, T, D) those at `places` (B, T - 1): (n, D).

    A hook, and not a call of body and head, because autocast and data parallelism live in the model's own `forward`.
    """
    body = model.module if hasattr(model, "module") else model
    head = body.get_output_embeddings()
    hook = head.register_forward_pre_hook(lambda _, given: (given[0][:, :-1][places], *given[1:]))
    try:
        yield
    finally:
        hook.remove()


def likelihood(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, texts: list[str]) -> np.ndarray:
    """log p of plain texts and the number of tokens behind it, shape (N, 2), as `Generation.per_row` returns them.

    A text's first token is given and its end does not count, so this tells what a model knows of the language, and
    before and after fine-tuning what it has forgotten.
    """
    ids = _plain_ids(tokenizer, texts)
    rows = Dataset.from_list([{"input_ids": row, "counts": [0] + [1] * (len(row) - 1)} for row in ids])
    task = Generation(template="plain")
    return task.per_row(task.predict(model, rows, pad_id=tokenizer.pad_token_id), task.references(rows))


def token_table(tokenizer: PreTrainedTokenizerBase, row: dict) -> pd.DataFrame:
    """One encoded row, a line a token: its text, its id, and its label: the id again where it counts, else -100."""
    labels = [token if counts else IGNORED for token, counts in zip(row["input_ids"], row["counts"], strict=True)]
    texts = [tokenizer.decode([token]) for token in row["input_ids"]]
    table = pd.DataFrame({"token": [repr(text)[1:-1] for text in texts], "id": row["input_ids"], "label": labels})
    return table.rename_axis("position")


def _collated(rows: list[dict], groups: Sequence[Sequence[int]], pad_id: int) -> dict[str, Tensor]:
    """One sequence a group of rows, padded on the right: input_ids and labels, (B, T)."""
    width = max(sum(len(rows[i]["input_ids"]) for i in group) for group in groups)
    ids = torch.full((len(groups), width), pad_id)
    labels = torch.full((len(groups), width), IGNORED)
    for g, group in enumerate(groups):
        tokens = torch.tensor([token for i in group for token in rows[i]["input_ids"]])
        counts = torch.tensor([count for i in group for count in rows[i]["counts"]], dtype=torch.bool)
        ids[g, : len(tokens)] = tokens
        labels[g, : len(tokens)] = tokens.where(counts, IGNORED)
    return {"input_ids": ids, "labels": labels}


def _positions(rows: list[dict], groups: Sequence[Sequence[int]]) -> Tensor:
    """Places of the tokens in their rows, (B, T), each row and each padding from 0."""
    lengths = [[len(rows[i]["input_ids"]) for i in group] for group in groups]
    width = max(map(sum, lengths))
    return torch.stack([torch.cat([torch.arange(n) for n in (*row, width - sum(row))]) for row in lengths])


def _answers(model: PreTrainedModel, prompts: list[list[int]], settings: GenerationConfig) -> list[list[int]]:
    """The tokens that the model writes after each prompt, up to and with its end token."""
    width = max(map(len, prompts))
    ids = torch.full((len(prompts), width), settings.pad_token_id)
    mask = torch.zeros_like(ids)
    for i, prompt in enumerate(prompts):
        ids[i, width - len(prompt) :] = torch.tensor(prompt)
        mask[i, width - len(prompt) :] = 1
    written = model.generate(ids.to(model.device), attention_mask=mask.to(model.device), generation_config=settings)[
        :, width:
    ]
    return [until_end(row, settings.eos_token_id) for row in written.tolist()]


def until_end(ids: list[int], ends: list[int]) -> list[int]:
    """The tokens up to and with the first that ends an answer."""
    length = next((place + 1 for place, token in enumerate(ids) if token in ends), len(ids))
    return ids[:length]


@dataclass
class _Part:
    """A run of tokens of one kind."""

    ids: list[int]
    counts: bool = False  # adds to the loss
    may_be_cut: bool = False


class _Frames:
    """What a template writes around the turns, as tokens; looked up once for each order of roles."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase, template: str):
        if template == "chat" and not tokenizer.chat_template:
            raise InputError(
                f"the tokenizer of '{tokenizer.name_or_path}' has no chat template; use template plain, or a model "
                "that was tuned on chats"
            )
        self.tokenizer, self.template = tokenizer, template
        self.special = {i for i, token in tokenizer.added_tokens_decoder.items() if token.special}
        self.known: dict[tuple, list[list[int]]] = {}

    def ends(self) -> list[int]:
        """The tokens that end an answer: the template's and the tokenizer's."""
        closing = self._end_of_turn(self._lookup(("user", "assistant"), 1)[-1])
        return sorted({closing[-1], self.tokenizer.eos_token_id} - {None})

    def around(self, roles: list[str], contents: list[list[int]], number: int) -> list[_Part]:
        """The contents with their frames; after the last assistant turn the row ends with its end token."""
        frames = self._lookup(tuple(roles), number)
        parts = [_Part(frames[0])]
        for role, ids, frame in zip(roles, contents, frames[1:], strict=True):
            if role != "assistant":
                parts += [_Part(ids, may_be_cut=True), _Part(frame)]
                continue
            closing = self._end_of_turn(frame)
            rest = frame[len(closing) :] if frame[: len(closing)] == closing else frame  # the end may be added
            parts += [_Part(ids, counts=True), _Part(closing, counts=True), _Part(rest)]
        return parts[:-1] if roles[-1] == "assistant" else parts

    def _end_of_turn(self, frame: list[int]) -> list[int]:
        """The tokens of a frame up to its first special one; a frame without any gets the end token."""
        for place, token in enumerate(frame):
            if token in self.special:
                return frame[: place + 1]
        if self.tokenizer.eos_token_id is None:
            raise InputError(
                f"the tokenizer of '{self.tokenizer.name_or_path}' has no end token, so a model could not learn to "
                "stop; give it one (tokenizer.eos_token)"
            )
        return [self.tokenizer.eos_token_id]

    def _lookup(self, roles: tuple[str, ...], number: int) -> list[list[int]]:
        if roles not in self.known:
            make = self._plain if self.template == "plain" else self._chat
            self.known[roles] = make(roles, number)
        return self.known[roles]

    def _plain(self, roles: tuple[str, ...], _number: int) -> list[list[int]]:
        some = self.tokenizer("a")["input_ids"]
        start = some[:1] if some[0] == self.tokenizer.bos_token_id else []
        return [start, *([] for _ in roles)]

    def _chat(self, roles: tuple[str, ...], number: int) -> list[list[int]]:
        """What stands before the answer is always what `generate` will see; only the closing comes with the answer."""
        if roles[-1] == "assistant":
            texts = [*self._rendered(roles[:-1], True, number), self._rendered(roles, False, number)[-1]]
        else:
            texts = self._rendered(roles, True, number)
        return self.tokenizer(texts, add_special_tokens=False)["input_ids"]

    def _rendered(self, roles: tuple[str, ...], ask: bool, number: int) -> list[str]:
        """The template's text before, between and after the turns, whose contents are one private character each."""
        marks = [chr(0xE000 + i) for i in range(len(roles))]
        turns = [{"role": role, "content": mark} for role, mark in zip(roles, marks, strict=True)]
        try:
            rest = self.tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=ask)
        except TemplateError as error:
            raise InputError(
                f"the chat template refuses the turns {', '.join(roles)} of row {number} ({error}); reorder them"
            ) from error
        texts = []
        for mark in marks:
            before, _, rest = rest.partition(mark)
            texts.append(before)
        if any(mark in text for text in (*texts, rest) for mark in marks):
            raise InputError(f"the chat template does not write the turns {', '.join(roles)} once each and in order")
        return [*texts, rest]


def tell_cuts(data: Dataset, cuts: list[int], max_length: int | None) -> None:
    """Warn, for `encode`, how many prompts were cut; `cuts` are the tokens that each row lost."""
    rows = [number for number, cut in zip(row_numbers(data), cuts, strict=True) if cut]
    if rows:
        warnings.warn(
            f"{len(rows):,} of {len(cuts):,} prompts were cut to max_length {max_length}, by {sum(cuts):,} tokens in "
            f"all, the first in row {rows[0]}; raise max_length to keep them whole",
            stacklevel=3,
        )


def row_numbers(data: Dataset) -> Sequence[int]:
    """The number of each row in messages: of its file where the column `row` tells it, else of these rows."""
    return data["row"][:] if "row" in data.column_names else range(1, len(data) + 1)


def _plain_ids(tokenizer: PreTrainedTokenizerBase, texts: list[str]) -> list[list[int]]:
    """The tokens of each text; what looks like a special token in it is text."""
    check_whole(texts)
    if not texts:
        return []
    return tokenizer(texts, add_special_tokens=False, split_special_tokens=True, verbose=False)["input_ids"]
