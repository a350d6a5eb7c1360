"""Rewriting: an encoder reads a text, and a decoder learns to write another one for it, as in translation.

A row is a pair of columns `prompt` and `completion`; without completion it can only be answered, not learnt from. The
model is an encoder-decoder such as Marian, NLLB, T5 or BART. What a model wants to find in its prompts ("translate
English to French: ..." for T5) is written there by the caller; NLLB's languages are set on its tokenizer (`src_lang`
and `tgt_lang`).

    task = Seq2Seq()
    run = fit(task, task.build("folder/of/marian"), tokenizer, train, validation)
    rows = task.encode(tokenizer, test)
    task.score(task.predict(run.model, rows), task.references(rows))  # log-likelihood and perplexity
    task.generate(run.model, tokenizer, rows).texts                   # what the model writes, in the rows' order

A decoder alone reads the prompt as the beginning of its own text (`helpers.tasks.generation`). Here the encoder sees
all of it at once, and the decoder models p(completion | prompt) token by token. The same promises hold: the end of a
completion always counts, no completion is cut, and the tokens that a prompt loses are counted in a warning.
"""

import time
from dataclasses import dataclass

import numpy as np
import torch
from datasets import Dataset
from torch import Tensor, nn
from tqdm import tqdm
from transformers import AutoModelForSeq2SeqLM, GenerationConfig, PreTrainedModel, PreTrainedTokenizerBase

from helpers.data.batching import on_device, padded, padded_inputs
from helpers.errors import InputError
from helpers.models.inference import BATCH_TOKENS, by_length, computed_in, evaluating
from helpers.progress import watched
from helpers.tasks.base import IGNORE
from helpers.tasks.writing import Generated, WritingTask, row_numbers, until_end, warn_of_cuts, without_own_settings
from helpers.text import AS_TEXT


@dataclass(frozen=True)
class Seq2Seq(WritingTask):
    """A text that an encoder-decoder writes for another.

    Attributes:
        max_length: tokens of a prompt, its special tokens included; the end of a longer one is cut. None cuts nothing
            and refuses prompts that are longer than the model reads.
        max_new_tokens: most tokens of an answer in `generate`. A completion to learn from may be as long as the model
            writes, and is never cut.
    """

    max_length: int | None = None
    max_new_tokens: int = 64

    name = "seq2seq"
    auto_class = AutoModelForSeq2SeqLM
    pipeline_tag = "text2text-generation"
    default_model = "translator"

    def __post_init__(self):
        for field in ("max_length", "max_new_tokens"):
            value = getattr(self, field)
            if value is not None and value < 1:
                raise InputError(f"{field} {value} must be at least 1")

    def encode(self, tokenizer: PreTrainedTokenizerBase, data: Dataset) -> Dataset:
        """Turn rows into tokens; a text that spells a special token stays text.

        Returns the columns of `Generation.encode`: input_ids, the tokens of the prompt and after them those of the
        completion, each with the special tokens that the tokenizer puts around this side; counts (1 for tokens of the
        completion, else 0); prompt_tokens (how many are the prompt's); cut (how many it lost). Both sides in one list
        are what `fit` needs: it makes batches, and counts tokens, by the length of input_ids.

        Raises InputError, with the row (the column `row`, if there is one, else its number), for an empty prompt or
        completion and for one that does not fit, and if the column of prompts is missing or the tokenizer does not end
        a completion with its end token.
        """
        prompts, cuts = self._prompts(tokenizer, data)
        completions = _completions(tokenizer, data) if "completion" in data.column_names else [[]] * len(data)
        warn_of_cuts(data, cuts, min(tokenizer.model_max_length, self.max_length or tokenizer.model_max_length))
        sides = zip(prompts, completions, cuts, strict=True)
        return Dataset.from_list([_row(prompt, completion) | {"cut": excess} for prompt, completion, excess in sides])

    def _prompts(self, tokenizer: PreTrainedTokenizerBase, data: Dataset) -> tuple[list[list[int]], list[int]]:
        """The tokens of each prompt, cut at its end if it must be, and how many it lost."""
        side, window = TokenizerSide(tokenizer, "text"), tokenizer.model_max_length
        limit = min(window, self.max_length or window)
        room = limit - len(side.before) - len(side.after)
        if room < 1:
            raise InputError(f"max_length {limit} leaves no room beside the prompt's special tokens; raise it")
        prompts = side.tokens(_texts(data, "prompt"))
        cuts = [max(0, len(ids) - room) for ids in prompts]
        for number, over in zip(row_numbers(data), cuts, strict=True):
            if over and self.max_length is None:
                raise InputError(
                    f"prompt in row {number} needs {limit + over:,} tokens and the model reads {limit:,}; shorten it, "
                    "or train with max_length to have prompts cut"
                )
        return [side.framed(ids[:room]) for ids in prompts], cuts

    def build(self, model: str | None = None, *, pretrained: bool = True, seed: int = 0) -> PreTrainedModel:
        """The pretrained encoder-decoder with the output layer it came with.

        Raises InputError for the role `translator` at scale `laptop`, where no encoder-decoder is packaged.
        """
        built = super().build(model, pretrained=pretrained, seed=seed)
        _keep_fixed(built)
        return built

    def collate(self, rows: list[dict], pad_id: int) -> dict[str, Tensor]:
        """Encoded rows as input_ids and attention_mask (B, S) of the prompts and labels (B, T) of the completions.

        All are padded on the right, labels with -100. The decoder needs no mask: none of its tokens sees a later one.
        """
        prompts = [row["input_ids"][: row["prompt_tokens"]] for row in rows]
        completions = [row["input_ids"][row["prompt_tokens"] :] for row in rows]
        return padded_inputs(prompts, pad_id) | {"labels": padded(completions, IGNORE)}

    def loss(self, model: nn.Module, batch: dict[str, Tensor]) -> Tensor:
        """Cross-entropy -log p(token | prompt, tokens before it), summed over the completions; scalar."""
        return token_losses(model, batch).sum()

    def outputs(self, model: nn.Module, batch: dict[str, Tensor]) -> np.ndarray:
        """log p of each row's completion, summed over its tokens, in nats, shape (B,), float64."""
        return -token_losses(model, batch).cpu().double().sum(dim=1).numpy()

    def generate(
        self,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        encoded: Dataset,
        *,
        beams: int = 1,
        batch_rows: int = 32,
        batch_tokens: int = BATCH_TOKENS,
    ) -> Generated:
        """Answer the prompts of encoded rows; completions that the rows hold are not shown to the model.

        Prompts of about the same length are answered together. What the tokenizer puts before each completion, such
        as NLLB's language, is given to the model and not counted as written.

        Args:
            beams: the number of candidates that are kept at each token; 1 is greedy decoding.
        """
        side, end, began = _completion_side(tokenizer), tokenizer.eos_token_id, time.perf_counter()
        settings = self._settings(model, tokenizer, side, beams)
        prompts = [row["input_ids"][: row["prompt_tokens"]] for row in encoded]
        room = [len(ids) + settings.max_new_tokens for ids in prompts]
        bar = tqdm(total=len(room), unit="row", disable=not watched(), leave=False)

        def write(batch: list[int]) -> list[list[int]]:
            inputs = padded_inputs([prompts[i] for i in batch], tokenizer.pad_token_id)
            bar.update(len(batch))
            return [until_end(ids, [end]) for ids in _written(writer, inputs, side.before, settings)]

        with evaluating(model), without_own_settings(model) as writer, bar:
            answers = by_length(write, room, batch_rows=batch_rows, batch_tokens=batch_tokens)
        return Generated(
            texts=[tokenizer.decode(ids, skip_special_tokens=True) for ids in answers],
            tokens=np.array([len(ids) for ids in answers]),
            finished=np.array([ids[-1] == end for ids in answers]),
            seconds=time.perf_counter() - began,
            precision=computed_in(model),
        )

    def _settings(self, model, tokenizer, side: "TokenizerSide", beams: int) -> GenerationConfig:
        pad, end = tokenizer.pad_token_id, tokenizer.eos_token_id
        return GenerationConfig(
            max_new_tokens=min(self.max_new_tokens, tokenizer.model_max_length - len(side.before)),
            num_beams=beams,
            do_sample=False,
            decoder_start_token_id=model.config.decoder_start_token_id,
            eos_token_id=end,
            pad_token_id=pad,
            suppress_tokens=None if pad == end else [pad],  # it fills a batch and is no part of an answer
        )


def token_losses(model: nn.Module, batch: dict[str, Tensor]) -> Tensor:
    """-log p of each token of the completions, shape (B, T); 0 at padding.

    The model itself shifts the labels into what its decoder reads, because families begin a text differently. The loss
    that it returns beside the logits is a mean over the batch, from which the loss of a whole step cannot be summed.
    """
    labels = batch["labels"]
    logits = model(**batch, use_cache=False).logits.float()  # (B, T, V)
    losses = nn.functional.cross_entropy(logits.flatten(0, 1), labels.flatten(), ignore_index=IGNORE, reduction="none")
    return losses.view_as(labels)


def _keep_fixed(model: PreTrainedModel) -> None:
    """Make buffers of the parameters that do not train by design, such as Marian's sinusoids of positions.

    `fit` trains all parameters, and several processes would wait for gradients that these never get. A model that was
    read from weights no longer marks them, so a second one without weights shows which they are.
    """
    with torch.device("meta"):
        design = type(model)(model.config)
    for name in [name for name, parameter in design.named_parameters() if not parameter.requires_grad]:
        path, _, own = name.rpartition(".")
        module = model.get_submodule(path)
        fixed = getattr(module, own).detach()
        delattr(module, own)
        module.register_buffer(own, fixed)


def _written(
    model: PreTrainedModel, inputs: dict[str, Tensor], before: list[int], settings: GenerationConfig
) -> list[list[int]]:
    """What the model writes for each row after its start token and the tokens `before`, padding included."""
    begin = torch.tensor([[settings.decoder_start_token_id, *before]])
    begin = begin.expand(len(inputs["input_ids"]), -1)  # (B, 1 + len(before))
    arguments = on_device(inputs | {"decoder_input_ids": begin}, model.device)
    return model.generate(**arguments, generation_config=settings)[:, begin.shape[1] :].tolist()


def _row(prompt: list[int], completion: list[int]) -> dict:
    counts = [0] * len(prompt) + [1] * len(completion)
    return {"input_ids": [*prompt, *completion], "counts": counts, "prompt_tokens": len(prompt)}


def _completions(tokenizer: PreTrainedTokenizerBase, data: Dataset) -> list[list[int]]:
    """The tokens of each completion; InputError, with the row, for one that is longer than the model writes."""
    side, window = _completion_side(tokenizer), tokenizer.model_max_length
    completions = [side.framed(ids) for ids in side.tokens(_texts(data, "completion"))]
    for number, ids in zip(row_numbers(data), completions, strict=True):
        if len(ids) > window:
            raise InputError(
                f"completion in row {number} needs {len(ids):,} tokens and the model writes {window:,} at most; "
                "shorten it or leave the row out"
            )
    return completions


def _texts(data: Dataset, column: str) -> list[str]:
    """The texts of a column; InputError, with the row, for one that a model cannot read or learn."""
    if column not in data.column_names:
        raise InputError(f"the rows have no column {column}, only {', '.join(data.column_names)}; rename theirs")
    for number, text in zip(row_numbers(data), data[column], strict=True):
        if not isinstance(text, str) or not text.strip():
            raise InputError(f"{column} in row {number} is empty or no text; fill it or delete the row")
    return data[column][:]


class TokenizerSide:
    """How a tokenizer writes one side of a pair, `text` or `text_target`: the tokens `before` and `after` each text."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase, side: str):
        self.tokenizer, self.side = tokenizer, side
        bare, whole = self.tokens(["a"])[0], tokenizer(**{side: "a"})["input_ids"]
        start = next(i for i in range(len(whole)) if whole[i : i + len(bare)] == bare)
        self.before, self.after = whole[:start], whole[start + len(bare) :]

    def tokens(self, texts: list[str]) -> list[list[int]]:
        """Those of each text alone; what looks like a special token in it is text."""
        settings = {"add_special_tokens": False, "verbose": False} | AS_TEXT
        return self.tokenizer(**{self.side: texts}, **settings)["input_ids"] if texts else []

    def framed(self, ids: list[int]) -> list[int]:
        """The tokens of a text with those around it."""
        return [*self.before, *ids, *self.after]


def _completion_side(tokenizer: PreTrainedTokenizerBase) -> TokenizerSide:
    """The side that is learnt; its last token is the end token, which is added where the tokenizer adds none."""
    side, end, name = TokenizerSide(tokenizer, "text_target"), tokenizer.eos_token_id, tokenizer.name_or_path
    if end is None:
        raise InputError(
            f"the tokenizer of '{name}' has no end token, so a model could not learn to stop; give it one "
            "(tokenizer.eos_token)"
        )
    if end not in side.after:
        side.after = [*side.after, end]
    if side.after[-1] != end:
        raise InputError(
            f"the tokenizer of '{name}' writes '{tokenizer.decode(side.after[-1:])}' after the end of a completion, so "
            "that a model would not learn to stop there; take one that names the language first, as NLLB and mBART-50"
        )
    return side
