# DRAFT of book/05-project/gpt.ipynb; NEVER run. Missing: `make results` for the experiment gpt-json (tools/experiments/
# gpt.py; about 25 min on two quiet cores; the row `rule` of 60 entries was computed: valid 1.0, field F1 0.99 or so), a
# run of the draft, a look at its figure and tables, thresholds of the claims, `python -m tools.equations` (eq-causal-loss,
# eq-lora have tests), _toc.yml, and a row in the appendix results.
# %% [markdown]
# # Project: fine-tuning GPT
#
# **After this chapter you can teach a decoder to answer in a form of your own, here strict JSON, choose between full fine-tuning and LoRA by numbers, and say what the model forgot.**
#
# You need: the chapters *Text classification with BERT* and *The loss*. It takes about 80 seconds and 3 GB of memory on two cores.

# %%
from dataclasses import replace

import numpy as np
import pandas as pd
from datasets import Dataset
from transformers import AutoModelForCausalLM

from helpers import adapters, corpora, evaluation, figures, json_fields, ledger, models, notebook
from helpers.batching import length_batches, padding_share
from helpers.corpora import parameters
from helpers.recipe import Recipe
from helpers.tasks.generation import Generation, likelihood, token_table
from helpers.training import fit

scale = notebook.start()

# %% [markdown]
# ## The task
#
# Documentation is written for people. A program that wants to know the parameters of a function needs them in a form that it can read. The model gets one entry of a docstring and shall write its name, type and default as *strict* JSON: one object, these three fields, and nothing before or after it.
#
# A pretrained decoder cannot do this reliably, as we shall measure. That makes it a good first task: the goal is a *form*, the rows are short, and what is right can be checked without a judge.

# %%
corpus = corpora.load("parameters", scale=scale)
corpus.card.table()

# %% [markdown]
# What is true here comes from the code and not from the text. Name and default stand in the signature of the function, which Python's own parser reads. Whole libraries are held out, because a library has a style, and a model that has seen the style has an easier test.

# %%
sample = corpus.data["test"].shuffle(seed=3).select(range(3)).to_pandas()
sample[["prompt", "completion"]]


# %%
def asked(rows: Dataset) -> Dataset:
    """Entries that end where the JSON shall begin."""
    return Dataset.from_list([row | {"prompt": row["prompt"] + "\nJSON:\n"} for row in rows])


def some(split: str, count: int) -> Dataset:
    """The first rows of a split in a fixed random order."""
    return corpus.data[split].shuffle(seed=0).select(range(count))


train, choosing, test = (asked(some(*part)) for part in (("train", 64), ("validation", 16), ("test", 24)))

# %% [markdown]
# ## The loss
#
# A decoder predicts the next token, over and over. Fine-tuning goes on with exactly this. What changes is *which* tokens count. Let $S$ be the set of places $(i, j)$ that count, token $j$ of row $i$:
#
# $$
# \mathcal{L}(\theta) = -\frac{1}{|S|} \sum_{(i,j) \in S} \log p_\theta(y_{ij} \mid x_i, y_{i,<j})
# $$ (eq-causal-loss)
#
# With the usual choice, $S$ holds the tokens of the completion and the token that ends it. The prompt $x_i$ is read and not learnt. The second choice counts all tokens, as pretraining does. Both are called supervised fine-tuning, so say which you mean. Here is one row, token by token. A label of -100 is the mark for *does not count*.

# %%
tokenizer = models.tokenizer("decoder", scale=scale)
task = Generation(template="plain", max_new_tokens=64)
encoded = task.encode(tokenizer, train)
shortest = int(np.argmin([len(ids) for ids in encoded["input_ids"]]))
token_table(tokenizer, encoded[shortest])

# %% [markdown]
# Print this table for every data set that you train on. It shows at a glance whether the right tokens count, whether the end counts, and whether the prompt is framed as you think. The appendix *Failures that raise no error* shows what happens otherwise.

# %%
total = sum(len(ids) for ids in encoded["input_ids"])
counted = task.supervised(encoded).sum()
assert all(row["input_ids"][-1] == tokenizer.eos_token_id and row["counts"][-1] == 1 for row in encoded)
notebook.claim(
    0.2 < counted / total < 0.8,
    f"Of {total:,} tokens {counted:,} count, {counted / total:.0%}. The output layer, with its "
    f"{len(tokenizer):,} words, is computed at these places alone.",
)

# %% [markdown]
# ## Before
#
# First ask the model as it is. It was tuned on chats, so we ask in its chat template, with an instruction. A rule reads the same entries: two regular expressions, written for just these styles.

# %%
model = task.build("decoder", scale=scale)
instruction = (
    "Write name, type and default of this parameter as JSON. Without a default, default is null.\n\n"
)
chat = Generation(max_new_tokens=64)
plain = some("test", 24)
questions = Dataset.from_list([{"prompt": instruction + row["prompt"]} for row in plain])
before = chat.generate(model, tokenizer, chat.encode(tokenizer, questions))
print(before.texts[0])


# %%
def scored(answers: list[str]) -> np.ndarray:
    """Right, said and true fields, and validity, of each test row, (N, 4)."""
    return json_fields.counts(answers, test["completion"], parameters.FIELDS)


systems = {
    "rule": scored([parameters.rule(entry) for entry in plain["prompt"]]),
    "instruction": scored(before.texts),
}
{name: round(float(json_fields.validity(counts.mean(0))), 3) for name, counts in systems.items()}

# %% [markdown]
# *Valid* is an answer that a program can read: strict JSON with exactly the three fields. *Field F1* counts each field that is right against the fields said and the true ones. An answer that is not valid says nothing.
#
# ## Fine-tuning with LoRA
#
# LoRA (Hu et al. 2022) leaves the weights $W$ of a linear layer, of shape $M \times D$, as they are, and learns a small update beside them:
#
# $$
# W' = W + \frac{\alpha}{r}\, B A, \qquad B \in \mathbb{R}^{M \times r},\; A \in \mathbb{R}^{r \times D}
# $$ (eq-lora)
#
# The *rank* $r$ is small, here 8. $B$ starts at zero, so training starts at the pretrained model. AdamW keeps two more numbers for each trained weight, so few trained weights save memory. Afterwards the update is added to $W$, and the model is as fast as before.

# %%
lora = replace(task, lora_rank=8)
adapted = adapters.add(model, 8)
notebook.claim(
    adapters.trained_share(adapted) < 0.05,
    f"At rank 8, {adapters.trained_share(adapted):.1%} of the weights are trained.",
)

# %%
general = [" ".join(words) for words in corpora.load("brown").data["test"]["tokens"] if 12 <= len(words) <= 30]
general = general[:: len(general) // 24][:24]
known = likelihood(adapted, tokenizer, general)

# %%
recipe = Recipe(learning_rate=1e-3, epochs=2, batch_rows=8, seed=0)
run = fit(lora, adapted, tokenizer, train, choosing, recipe)
print(f"{run.tokens_per_second:.0f} tokens/s, {run.seconds:.0f} s, {run.peak_memory_gb:.1f} GB, {run.precision}")
run.history[["step", "epoch", "loss", "validation_log_likelihood", "validation_perplexity"]].dropna().round(3)

# %% [markdown]
# Validation rows choose the epoch by their log-likelihood, which is cheap. Texts are written only once, for the test rows. They are written in batches of equal length, with padding on the *left*, so that every prompt ends where its answer begins.

# %%
after = task.generate(run.model, tokenizer, task.encode(tokenizer, test))
systems["fine-tuned"] = scored(after.texts)
print(f"{after.tokens_per_second:.0f} tokens/s; {after.finished.mean():.0%} of the answers ended by themselves")
pd.DataFrame({"entry": plain["prompt"], "answer": after.texts}).head(4)


# %%
def table(systems: dict) -> pd.DataFrame:
    """Validity and field F1 with their intervals, a row a system."""
    rows = {}
    for name, counts in systems.items():
        valid, found = (evaluation.interval(counts, score=s) for s in (json_fields.validity, json_fields.f1))
        rows[name] = {"valid": valid.value, "field F1": found.value, "low": found.low, "high": found.high, "n": found.n}
    return pd.DataFrame(rows).T


table(systems).round(3)

# %%
gain = evaluation.paired(systems["fine-tuned"], systems["instruction"], score=json_fields.f1)
notebook.claim(
    gain.low > 0.2,
    f"With {len(train)} examples and {run.seconds:.0f} s of training, field F1 rises by {gain}, "
    f"on {gain.n} entries of libraries that it has not seen.",
)

# %% [markdown]
# Be fair to the rule. Two regular expressions, written by somebody who knows the styles, read these entries about as well or better, in no time. *Where a rule can be written, write it.* Fine-tuning pays where the styles are too many or too loose for rules. This task was chosen because it lets us check every field, not because it needs a model.
#
# ## Full fine-tuning or LoRA
#
# The next results were made by `make results`: more rows, each run in a process of its own, so that its peak of memory is its own. There is one seed. The intervals are over test rows.

# %%
recorded = ledger.read("gpt-json")


def name_of(row: pd.Series) -> str:
    """What a recorded run is called."""
    changes = row["changes"] if isinstance(row["changes"], dict) else {}
    named = [f"rank {value}" if key == "lora_rank" else f"{key} {value}" for key, value in changes.items()]
    return ", ".join([row["system"], *named])


runs = dict(zip(recorded.apply(name_of, axis=1), ledger.counts(recorded)))
found = table(runs)
costs = ["seconds", "tokens_per_second", "peak_memory_gb", "trained_share", "general_perplexity"]
found[costs] = recorded[costs].to_numpy()
found.round(3)

# %% mystnb={"image": {"alt": "Field F1 with intervals: asking with an instruction is far below all fine-tuned models, whose intervals overlap."}}
figures.scores(found.rename(columns={"field F1": "value"}), "field F1");

# %%
for name in [name for name in runs if name.startswith("lora")]:
    gap = evaluation.paired(runs[name], runs["full"], score=json_fields.f1)
    word = "better than" if gap.low > 0 else "worse than" if gap.high < 0 else "not distinguishable from"
    notebook.claim(gap.n > 30, f"- {name}: {word} full fine-tuning ({gap}, n = {gap.n}).")

# %%
full, small = found.loc["full"], found.loc["lora, rank 8"]
notebook.claim(
    small["peak_memory_gb"] < full["peak_memory_gb"],
    f"LoRA of rank 8 takes {small['peak_memory_gb']:.1f} GB where full fine-tuning takes "
    f"{full['peak_memory_gb']:.1f} GB, and {small['seconds']:.0f} s instead of {full['seconds']:.0f} s on the machine that recorded them.",
)

# %% [markdown]
# ## What is forgotten
#
# A model that learns a form may lose something else. We look at *perplexity on general text*, sentences of the Brown corpus, before and after. First for the run that you watched, with a paired interval of the loss for a token.

# %%
left = likelihood(run.model, tokenizer, general)
lost = evaluation.paired(-left, -known, score=Generation.from_counts)
notebook.claim(
    abs(lost.value) < 1.5,
    f"Loss of a token of general text, after minus before: {lost} nats over {lost.n} sentences; "
    f"perplexity {np.exp(-known[:, 0].sum() / known[:, 1].sum()):.0f} before and "
    f"{np.exp(-left[:, 0].sum() / left[:, 1].sum()):.0f} after.",
)

# %%
forgotten = found["general_perplexity"].dropna().sort_values()
forgotten.to_frame().round(1)

# %% [markdown]
# Read the last column of the table above beside the memory. More trained weights and larger steps forget more. If you need the model for other things as well, measure this, mix some general text into the training rows, or keep the LoRA matrices apart and switch them off.
#
# ## Two losses, and packing

# %%
gap = evaluation.paired(runs["full, supervise all"], runs["full"], score=json_fields.f1)
word = "better than" if gap.low > 0 else "worse than" if gap.high < 0 else "not distinguishable from"
notebook.claim(
    gap.n > 30, f"Counting all tokens is {word} counting completions alone: {gap} in field F1, n = {gap.n}."
)

# %% [markdown]
# Counting the prompt spends the model's effort on predicting documentation, which nobody asked for. With few rows it may also help a little, as further pretraining on the domain. Measure it on your rows.
#
# *Packing* puts several rows into one sequence, so that no place is lost to padding. Here are the two alternatives on our rows.

# %%
lengths = [len(ids) for ids in encoded["input_ids"]]
by_length = length_batches(lengths, batch_rows=8, batch_tokens=16384)
at_random = np.random.default_rng(0).permutation(len(lengths)).reshape(-1, 8).tolist()
shares = {name: padding_share(b, lengths) for name, b in (("random batches", at_random), ("by length", by_length))}
packed = replace(task, packed=512).collate(encoded.to_list(), tokenizer.pad_token_id)["input_ids"]
shares["packed"] = 1 - sum(lengths) / packed.numel()
notebook.claim(
    max(shares["by length"], shares["packed"]) < shares["random batches"],
    "Share of padding: " + ", ".join(f"{name} {share:.0%}" for name, share in shares.items()) + ".",
)

# %% [markdown]
# Batches of equal length, the default here, leave little for packing to save. On a GPU with a kernel for it, packing makes all steps equally large, which is worth having. It must not change the loss: rows in one sequence may not see each other, and their positions start anew. Then the step is the same, number by number:

# %%
batch = encoded.select(range(8)).to_list()
losses = [
    replace(task, packed=width).collate(batch, tokenizer.pad_token_id) for width in (None, 512)
]
values = [task.loss(run.model, made).item() / task.supervised(encoded.select(range(8))).sum() for made in losses]
notebook.claim(
    abs(values[0] - values[1]) < 1e-4, f"The loss of eight rows is {values[0]:.6f} apart and {values[1]:.6f} packed."
)

# %% [markdown]
# ## Where it fails
#
# The entries whose answer is not right, as they are.

# %%
wrong = [i for i, counts in enumerate(systems["fine-tuned"]) if counts[0] < 3]
pd.DataFrame(
    [{"entry": plain[i]["prompt"], "answer": after.texts[i], "true": plain[i]["completion"]} for i in wrong[:6]],
    columns=["entry", "answer", "true"],
)

# %% [markdown]
# Most errors are of two kinds. *Copying goes wrong*: long names and types lose or change a letter, because a small model copies token by token and slips. *The default is misread*: it takes a value from the description. Both are silent. The JSON is valid, and only the comparison with the truth shows them. In use, check what can be checked: the name must stand in the entry, letter by letter.

# %%
answers = [json_fields.read(text, parameters.FIELDS) for text in after.texts]
copied = [found["name"] in entry for found, entry in zip(answers, plain["prompt"]) if found and found["name"]]
notebook.claim(
    np.mean(copied) > 0.5, f"Of {len(copied)} valid answers {np.mean(copied):.0%} have a name that stands in the entry."
)

# %% [markdown]
# ## Save and use
#
# Saving adds the LoRA matrices to the weights. The folder is a plain model for `AutoModelForCausalLM`.

# %%
import tempfile
from pathlib import Path

from helpers import saved

folder = saved.save(Path(tempfile.mkdtemp()) / "json-model", lora, run, tokenizer, corpus.card)
again = AutoModelForCausalLM.from_pretrained(folder)
words = tokenizer("epsilon : float, default=0.5\nJSON:\n", return_tensors="pt")
written = again.generate(**words, max_new_tokens=40, do_sample=False)[0, words["input_ids"].shape[1] :]
print(tokenizer.decode(written, skip_special_tokens=True))

# %% [markdown]
# ## On your own data
#
# A file of JSON lines with a prompt and a completion each is enough, or with `messages`, a list of turns. In the shell, which prints chrF beside two baselines:
#
# ```
# helpers train --task generation --data pairs.jsonl --prompt entry --completion json --lora-rank 8 --output model/
# helpers predict model/ --data unseen.jsonl --prompt entry > answers.jsonl
# ```
#
# At scale `gpu` (`SFT_SCALE=gpu`) the same cells take a decoder of 1.7 billion weights, in bf16.
#
# ## Exercises
#
# **1.** How many weights does LoRA of rank 8 train in one linear layer of shape 576 × 576, and what is their share? From which rank on would LoRA train more weights than full fine-tuning?

# %% tags=["hide-cell"]
new, old = 8 * (576 + 576), 576 * 576
print(f"{new:,} beside {old:,}, {new / old:.1%}; as many as the layer at rank {old // (576 + 576)}")
assert old // (576 + 576) == 288

# %% [markdown]
# **2.** The model's first token after the prompt is nearly always `{"`. What is its probability, and which tokens of a completion are the hardest? Print the loss token by token for one test row.

# %% tags=["hide-cell"]
from helpers.tasks.generation import token_losses

one = task.encode(tokenizer, test.select([0]))
costs_of = token_losses(again, task.collate(one.to_list(), tokenizer.pad_token_id)).tolist()
shown = token_table(tokenizer, one[0])
shown = shown[shown["label"] != -100].assign(loss=np.round(costs_of, 3))
print(shown.sort_values("loss", ascending=False).head(5).to_string())
assert costs_of[0] < max(costs_of)

# %% [markdown]
# ## Summary
#
# - Fine-tuning a decoder is pretraining's loss over chosen tokens. Choose them while you make the tokens, and let the end count.
# - A few dozen rows are enough to teach a form. They are not enough to teach knowledge.
# - LoRA trains a few hundredths of the weights, with less memory, and here about as well as full fine-tuning.
# - Forgetting is measured, not guessed: perplexity on general text, before and after.
# - Batches by length leave packing little to save. If you pack, rows must not see each other.
#
# *The source* gives the loss in section 4 with the target as a factor and as a token at once; the chapter *The loss* repairs it. It names GPT as a model to fine-tune and does not say which tokens count. *References*: Hu et al. (2022) for LoRA, Dettmers et al. (2023) for its use on all linear layers.
