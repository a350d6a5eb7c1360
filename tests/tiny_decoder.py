"""A decoder small enough to train in a second, with a tokenizer of bytes and a chat template."""

import torch
from datasets import Dataset
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from helpers import Generation, Recipe

PAD, START, END = "<|pad|>", "<|start|>", "<|end|>"
TEMPLATE = (
    "{% for turn in messages %}{{ '<|start|>' + turn['role'] + '\n' + turn['content'] + '<|end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|start|>assistant\n' }}{% endif %}"
)
PLAIN = Generation(template="plain", max_new_tokens=8)
CHAT = Generation(max_new_tokens=8)


def tokenizer(template: str | None = TEMPLATE, window: int = 128) -> PreTrainedTokenizerFast:
    """One token a byte, and three special ones: <|pad|>, <|start|>, <|end|> with the ids 0, 1, 2."""
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {token: i for i, token in enumerate([PAD, START, END, *letters])}
    inside = Tokenizer(models.BPE(vocabulary, []))
    inside.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inside.decoder = decoders.ByteLevel()
    inside.add_special_tokens([PAD, START, END])
    special = {"pad_token": PAD, "eos_token": END, "chat_template": template}
    return PreTrainedTokenizerFast(tokenizer_object=inside, model_max_length=window, **special)


def model(seed: int = 0, **config) -> LlamaForCausalLM:
    """Two layers of width 32, drawn under `seed`."""
    settings = LlamaConfig(
        vocab_size=259,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=128,
        tie_word_embeddings=True,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=2,
        **config,
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return LlamaForCausalLM(settings).eval()


def rows(count: int = 24, seed: int = 0) -> Dataset:
    """Prompts of 1 to 12 letters a to d; the completion is the last letter as a capital, one to three times."""
    random = torch.Generator().manual_seed(seed)
    prompts, completions = [], []
    for _ in range(count):
        length = int(torch.randint(1, 13, (), generator=random))
        letters = ["abcd"[i] for i in torch.randint(4, (length,), generator=random)]
        prompts.append("".join(letters))
        completions.append(letters[-1].upper() * (1 + length % 3))
    return Dataset.from_dict({"prompt": prompts, "completion": completions})


def recipe(**changes) -> Recipe:
    """A short run on `rows`."""
    # in fp32 on every processor, as in tiny.recipe
    return Recipe(
        **{"precision": "fp32", "learning_rate": 1e-2, "epochs": 2, "batch_rows": 8, "checkpoint_steps": 1} | changes
    )
