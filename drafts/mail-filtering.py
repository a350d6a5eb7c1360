# DRAFT, not executed. Missing: (1) the rest of `python -m tools.results mail-scores` (drafts/mail-scores.jsonl holds the first 6 of 18 rows; put it into helpers/results first. About 350 s on 2 quiet cores; every restart trains the model in hand again); (2) run it, look
# at the three figures and every table, and set the slack of the claims to what the numbers allow; (3) `python -m
# tools.equations` for eq-naive-bayes, eq-precision, eq-cost-threshold, eq-shift (their tests are in main);
# (4) seconds: estimated 85, cut the headers part first if it is more.
# %% [markdown]
# # Mail filtering: what does a caught mail cost?
#
# **After this chapter you can choose a filter by the good mail that it loses, set its threshold by your costs, and say how long its test score will hold.**
#
# You need: the chapter *Project: text classification*. It takes about 80 seconds and 2 GB of memory on two cores.

# %%
import numpy as np
import pandas as pd
from datasets import concatenate_datasets

from helpers import baselines, corpora, evaluation, figures, figures_filter, ledger
from helpers import long_texts, metrics, misspelling, models, notebook, thresholds
from helpers.corpora import mail
from helpers.recipe import Recipe
from helpers.tasks.classification import Classification
from helpers.training import fit

scale = notebook.start()

# %% [markdown]
# ## The task
#
# A spam mail in the inbox costs two seconds. A good mail in the spam folder may cost a job. So accuracy is the wrong score: it counts both errors alike. A filter is judged by what it catches *at a fixed share of lost good mail*.
#
# The *positive* class is spam. Three rates say everything: *recall* is the share of spam that is caught, the *false-positive rate* is the share of good mail that is lost, and *precision* is the share of what is flagged that truly is spam.

# %%
corpus = corpora.load("mail")
data = corpus.data
corpus.card.table()

# %% [markdown]
# Four things in this card protect the score.
#
# - *The text is subject and body.* Headers are left out; we shall see why.
# - *Copies are gone*, exact ones and near ones. Spam comes in campaigns: one text, thousands of mails. A copy in training and one in the test would be a memory test.
# - *Threads stay together.* An answer quotes what it answers.
# - *The split is by date.* A filter meets the mail of tomorrow. Training ends before validation begins, and validation before the test.

# %%
dates = {name: data[name]["date"] for name in ("train", "validation", "test")}
assert max(dates["train"]) <= min(dates["validation"])
assert max(dates["validation"]) <= min(dates["test"])
sides = [set(part["group"]) for part in data.values()]
assert sum(map(len, sides)) == len(set.union(*sides))

# %%
shares = {name: np.mean(np.array(part["label"]) == 1) for name, part in data.items()}
notebook.claim(
    shares["train"] > 2 * shares["test"],
    f"The share of spam is {shares['train']:.0%} in training, {shares['validation']:.0%} in "
    f"validation and {shares['test']:.0%} in the test. It differs because the spam was collected mostly "
    "in spring. That is no flaw to be repaired: the share of spam changes in real use too.",
)

# %% [markdown]
# ## A header tells too much
#
# Every mail has headers: who sent it, through which machines, to which list, in which month. Naive Bayes may read them alone, without subject and body, on a split drawn at random.
#
# Naive Bayes counts words. With $N_c$ mails of class $c$, $n_{wc}$ occurrences of word $w$ in them, $n_c$ words in all of them, a vocabulary of $V$ words, and $\alpha$ added to each count:
#
# $$p(c \mid x) \propto \frac{N_c}{N} \prod_{w \in x} \frac{n_{wc} + \alpha}{n_c + \alpha V}$$ (eq-naive-bayes)

# %%
told = mail.load(headers=True, by_date=False).data
plain = mail.load(by_date=False).data


def only_headers(part, text):
    """The rows with the headers alone."""
    cut = [a[: len(a) - len(b)] for a, b in zip(part["text"], text["text"], strict=True)]
    return long_texts.with_texts(part, cut)


heads = {name: only_headers(told[name], plain[name]) for name in told}
answers = np.array(heads["test"]["label"])


def nb(parts) -> np.ndarray:
    """Probabilities of naive Bayes on the test rows, shape (N, 2)."""
    return baselines.naive_bayes(parts["train"], parts["validation"], parts["test"])


both = {"headers alone": nb(heads), "subject and body": nb(plain)}
accuracy = {name: evaluation.interval(p.argmax(-1) == answers) for name, p in both.items()}
pd.DataFrame({name: vars(found) for name, found in accuracy.items()}).T.round(3)

# %%
notebook.claim(
    accuracy["headers alone"].value > 0.95,
    f"Without one word of the message, headers alone give {accuracy['headers alone']}. That is no filter. "
    "It is a list of the places where this collection was made.",
)

# %% [markdown]
# Which words of the headers does it read? These are the ones with the largest odds for each class among those in at least 100 mails.

# %%
from sklearn.feature_extraction.text import CountVectorizer

counter = CountVectorizer(binary=True, token_pattern=r"(?u)\b[a-zA-Z][\w.-]{3,}\b", min_df=100)
counts = counter.fit_transform(heads["train"]["text"])
y = np.array(heads["train"]["label"])
seen = np.stack([np.asarray(counts[y == c].sum(0))[0] + 1 for c in (0, 1)])  # (C, V)
odds = np.log(seen[1] / (y == 1).sum()) - np.log(seen[0] / (y == 0).sum())
words, order = counter.get_feature_names_out(), np.argsort(odds)
pd.DataFrame({"says ham": words[order[:10]], "says spam": words[order[::-1][:10]]})

# %% [markdown]
# Mailing lists, their servers, mail programs, and addresses to which the collectors had spam sent. On your mail, none of it holds. If you build a filter for one organisation its own headers may be used, but then test it on a later month, and on mail that came through another server.
#
# The body leaks too, less: most of this good mail is from technical lists. The scores below are for such a reader.

# %% [markdown]
# ## The filters
#
# - *Naive Bayes*, as above, on subject and body.
# - *TF-IDF* with logistic regression.
# - *SpamBayes*: the filter that mail programs of that time had. Graham (2002) gave each word the odds of spam, Robinson (2003) smoothed and combined them by Fisher's method. Here it is the code of the SpamBayes project, as the package `sbclassifier` keeps it.
# - *Frozen* and *fine-tuned*: the small encoder, which reads the first 64 tokens.
#
# The three classical ones read whole mails, all 2,019 of training. The encoder is trained on 400 of them. Each filter scores validation, test and, for later, spam that was rewritten, in one go.

# %%
positive = np.array(data["test"]["label"]) == 1
validation_positive = np.array(data["validation"]["label"]) == 1
spam = data["test"].select(np.flatnonzero(positive))
rates = (0.1, 0.2, 0.4)
rewritten = [
    long_texts.with_texts(spam, misspelling.misspelled(spam["text"], rate, seed=1)) for rate in rates
]
every = concatenate_datasets([data["validation"], data["test"], *rewritten])
cuts = np.cumsum([len(data["validation"]), len(data["test"]), *map(len, rewritten)])[:-1]

# %%
splits = ("validation", "test", *rates)
raw = {
    "naive bayes": baselines.naive_bayes(data["train"], data["validation"], every),
    "tf-idf": baselines.tfidf(data["train"], data["validation"], every),
    "spambayes": baselines.spambayes(data["train"], every),
}
scores = {name: dict(zip(splits, np.split(p[:, 1], cuts), strict=True)) for name, p in raw.items()}

# %% [markdown]
# The encoder's scores of all these mails take minutes; they come from the ledger, which has them mail by mail.

# %%
recorded = ledger.read("mail-scores")


def from_ledger(system: str, split="test", seed: int = 0, rows: int = 400) -> np.ndarray:
    """Recorded probabilities of spam, shape (N,)."""
    part, share = ("test", split) if split in rates else (split, 0.0)
    chosen = (recorded["system"] == system) & (recorded["train_rows"] == rows) & (recorded["seed"] == seed)
    chosen &= (recorded["split"] == part) & (recorded["misspelled"] == share)
    return ledger.counts(recorded[chosen])[0, :, 0] / 65535


for name in ("frozen", "fine-tuned", "hardened"):
    scores[name] = {split: from_ledger(name, split) for split in splits}

# %% [markdown]
# One small run live, to see that the ledger can be repeated: 96 mails, three passes, scored on 400 mails of the test.

# %%
tokenizer = models.tokenizer("encoder", scale=scale)
task = Classification(corpus.labels, max_length=64)
few = long_texts.shortened(data["train"].shuffle(seed=0).select(range(96)), tokenizer, 64)
recipe = Recipe(epochs=3, attention_dropout=0.0, seed=0)
run = fit(task, task.build("encoder", scale=scale, seed=0), tokenizer, few, recipe=recipe)
some = data["test"].shuffle(seed=0).select(range(400))
encoded = task.encode(tokenizer, some)
live = task.predict(run.model, encoded, pad_id=tokenizer.pad_token_id)[:, 1]

# %%
from sklearn.metrics import roc_auc_score

some_positive = np.array(some["label"]) == 1
areas = [roc_auc_score(some_positive, p) for p in (live, from_ledger("fine-tuned", "sample", rows=96))]
notebook.claim(
    scale == "gpu" or abs(areas[0] - areas[1]) < 0.05,
    f"The live run ranks a spam mail above a good one in {areas[0]:.1%} of all pairs; recorded are {areas[1]:.1%}.",
)

# %% [markdown]
# ## Recall at a fixed share of lost good mail
#
# We allow one good mail in 200. Validation chooses the threshold that keeps this promise there. Then, and only then, the test.

# %%
allowed = 0.005
shown = ("naive bayes", "tf-idf", "spambayes", "frozen", "fine-tuned")


def threshold(name: str) -> float:
    """The one that loses at most the allowed share of good mail in validation."""
    return thresholds.at_false_positive_rate(scores[name]["validation"], validation_positive, allowed)


reached = {name: thresholds.rates(scores[name]["test"], positive, threshold(name)) for name in shown}
pd.DataFrame({name: {rate: str(found) for rate, found in values.items()} for name, values in reached.items()}).T

# %%
lost = {name: values["false-positive rate"] for name, values in reached.items()}
good = int((~validation_positive).sum())
notebook.claim(
    max(found.value for found in lost.values()) > 2 * allowed,
    f"Asked for at most {allowed:.1%}, the filters lose "
    + ", ".join(f"{found.value:.1%} ({name})" for name, found in lost.items())
    + f" of the good test mail. One reason is counting: {allowed:.1%} of the {good} good mails of validation are "
    f"{int(allowed * good)} mails. The other one is time.",
)

# %% [markdown]
# To promise one in 200 you need thousands of good mails to choose the threshold on. And to compare filters, look at the whole curve, not at one point of it: a filter whose promise slipped catches more because it loses more.

# %% mystnb={"image": {"alt": "Share of spam caught over the share of good mail lost, on a log scale, for naive Bayes, TF-IDF, SpamBayes, frozen features and fine-tuned models."}}
figures_filter.operating_curve({name: scores[name]["test"] for name in shown}, positive);


# %%
def caught(name: str, share: float = 0.01) -> np.ndarray:
    """Which spam of the test is caught where exactly this share of good test mail is lost."""
    found = scores[name]["test"]
    return found[positive] >= thresholds.at_false_positive_rate(found, positive, share)


fair = {name: evaluation.interval(caught(name)) for name in shown}
against = {name: evaluation.paired(caught("fine-tuned"), caught(name)) for name in shown[:-1]}
notebook.claim(
    all(found.n == positive.sum() for found in fair.values()),
    "At the same 1 % of lost good mail, read off the test curve, they catch "
    + "; ".join(f"{name} {found}" for name, found in fair.items())
    + f" of {positive.sum()} spam mails.",
)

# %%
def verdict(found: evaluation.Interval) -> str:
    """What an interval of a difference says in words."""
    return "more than" if found.low > 0 else "less than" if found.high < 0 else "not distinguishably other than"


for name, found in against.items():
    notebook.claim(
        found.low <= found.value <= found.high, f"- Fine-tuned catches {verdict(found)} {name}: {found}."
    )

# %% [markdown]
# Read these lines for what they are: 400 training mails cut to 64 tokens against whole mails and five times as many of them. A classical filter is a serious opponent here. Spam of that time repeats its words, and words are what it counts.
#
# ## The same filter where spam is rarer
#
# Recall and false-positive rate belong to the filter. Precision also depends on how much of the mail is spam, a share $\pi$:
#
# $$\text{precision} = \frac{\text{recall} \cdot \pi}{\text{recall} \cdot \pi + \text{fpr} \cdot (1 - \pi)}$$ (eq-precision)

# %%
found = reached["tf-idf"]
recall, fpr = found["recall"].value, found["false-positive rate"].value
precision = {share: thresholds.precision_at(recall, fpr, share) for share in (0.5, 0.1, 0.01)}
assert np.isclose(found["precision"].value, thresholds.precision_at(recall, fpr, positive.mean()))
notebook.claim(
    precision[0.01] < precision[0.1] < precision[0.5],
    "The TF-IDF filter, nothing changed: precision "
    + ", ".join(f"{value:.2f} where {share:.0%} of the mail is spam" for share, value in precision.items())
    + ". A precision without the share of spam says nothing.",
)

# %% [markdown]
# ## What do errors cost you?
#
# Say a lost good mail costs as much as 20 spam mails in the inbox. If a filter's probabilities are right, acting is cheaper than not acting from this probability on (Elkan 2001):
#
# $$t = \frac{c_\text{fp}}{c_\text{fp} + c_\text{fn}}$$ (eq-cost-threshold)
#
# If they are not right, let validation rows choose: the threshold with the lowest cost there.

# %%
costs = {"false_positive": 20, "false_negative": 1}


def cost(name: str, at: float) -> float:
    """Cost per 1,000 mails of the test."""
    flagged = scores[name]["test"] >= at
    wrong = 20 * (flagged & ~positive).sum() + (~flagged & positive).sum()
    return 1000 * wrong / len(positive)


rules = {
    name: {
        "0.5": cost(name, 0.5),
        "formula": cost(name, thresholds.cost_threshold(**costs)),
        "validation": cost(name, thresholds.cheapest(scores[name]["validation"], validation_positive, **costs)),
    }
    for name in shown
}
bills = pd.DataFrame(rules).T.round(0)
bills

# %%
no_filter = 1000 * positive.mean()
notebook.claim(
    (bills["validation"] < bills["0.5"]).sum() >= 3,
    f"No filter at all costs {no_filter:.0f}. At a threshold of 0.5, {(bills['0.5'] > no_filter).sum()} of "
    f"{len(bills)} filters cost more than that; with a threshold from validation, "
    f"{(bills['validation'] > no_filter).sum()}.",
)

# %% [markdown]
# ## Is its confidence right?
#
# Training had four times the test's share of spam. A model that learned from it believes that much spam is coming. If only the share changed, from $\pi$ to $\pi'$, its probability $p$ can be repaired without new labels:
#
# $$p' = \frac{p \, \pi' / \pi}{p \, \pi' / \pi + (1 - p)(1 - \pi') / (1 - \pi)}$$ (eq-shift)

# %%
error = metrics.load("calibration_error")


def two(p: np.ndarray) -> np.ndarray:
    """Probabilities of both classes, shape (N, 2)."""
    return np.stack([1 - p, p], axis=-1)


calibration = {}
for name in ("tf-idf", "frozen", "fine-tuned"):
    p = scores[name]["test"]
    repaired = thresholds.shifted(np.clip(p, 1e-4, 1 - 1e-4), shares["train"], shares["validation"])
    calibration[name] = {
        label: error.compute(predictions=two(q), references=positive.astype(int))["calibration_error"]
        for label, q in (("as trained", p), ("for the share of validation", repaired))
    }
pd.DataFrame(calibration).T.round(3)

# %% mystnb={"image": {"alt": "Reliability curves of TF-IDF, frozen features and the fine-tuned model against the diagonal of perfect calibration."}}
curves = {name: metrics.reliability(two(scores[name]["test"]), positive.astype(int)) for name in calibration}
figures.reliability_curve(curves);

# %%
better = [name for name, row in calibration.items() if row["for the share of validation"] < row["as trained"]]
notebook.claim(
    len(better) >= 0,
    f"The share known from validation, no test label used, repairs the calibration of {', '.join(better) or 'none'}. "
    "Where it does not help, the share of spam is not all that changed.",
)

# %% [markdown]
# ## Senders adapt
#
# A sender of spam reads what filters do. The cheapest answer is to misspell: people still read *mortg.age*, but no filter has counted it. Here is one mail as it was and as it is with two words in ten changed.

# %%
print(spam[5]["text"][:160], "\n---\n" + rewritten[1][5]["text"][:160])

# %% [markdown]
# The good mail stays as it is, and so do the thresholds: no filter is told. The *hardened* model is fine-tuned like the other one, but half of its training mails, good and bad, have 30 % of their words misspelled. Both classes get the noise, or the noise would be the sign of spam.

# %%
def at_one_percent(name: str) -> float:
    """The threshold that loses 1 % of the good mail of the test."""
    return thresholds.at_false_positive_rate(scores[name]["test"], positive, 0.01)


attack = []
for name in ("tf-idf", "spambayes", "frozen", "fine-tuned", "hardened"):
    for share, split in zip((0.0, *rates), ("test", *rates), strict=True):
        found = scores[name][split][positive] if split == "test" else scores[name][split]
        kept = evaluation.interval(found >= at_one_percent(name))
        attack.append({"system": name, "misspelled": share, **vars(kept)})
attack = pd.DataFrame(attack)
attack.pivot_table(index="system", columns="misspelled", values="value", sort=False).round(3)

# %% mystnb={"image": {"alt": "Share of spam caught over the share of misspelled words for five filters; all fall, the hardened model least."}}
figures_filter.over_misspelling(attack);

# %%
def falls(name: str) -> evaluation.Interval:
    """How much of the spam that was caught is no longer, at 40 % of misspelled words."""
    before = scores[name]["test"][positive] >= at_one_percent(name)
    return evaluation.paired(before, scores[name][0.4] >= at_one_percent(name))


notebook.claim(
    falls("tf-idf").low > 0 and falls("hardened").value < falls("fine-tuned").value + 0.02,
    f"With 40 % of the words misspelled TF-IDF loses {falls('tf-idf')} of its catch, fine-tuned {falls('fine-tuned')}, "
    f"hardened {falls('hardened')}.",
)

# %% [markdown]
# ## Long mails
#
# The encoder read 64 tokens. Three ways to read a mail with the same model, which was trained on heads, compared on validation rows, because this is a choice: the head; about 30 tokens from either end; and the mean over the first three windows of 64, at three times the cost.

# %%
ways = {
    "head": from_ledger("fine-tuned", "validation"),
    "head and tail": from_ledger("head and tail", "validation"),
    "windows": from_ledger("windows", "validation"),
}
print({name: f"{roc_auc_score(validation_positive, p):.3f}" for name, p in ways.items()})


# %%
def log_likelihood(p: np.ndarray) -> np.ndarray:
    """The log-probability of the true class, shape (N,)."""
    return np.log(np.clip(np.where(validation_positive, p, 1 - p), 1e-4, None))


for name in ("head and tail", "windows"):
    found = evaluation.paired(log_likelihood(ways[name]), log_likelihood(ways["head"]))
    word = "better" if found.low > 0 else "worse" if found.high < 0 else "not distinguishable"
    notebook.claim(found.n == len(validation_positive), f"- *{name}* against *head*: {word} ({found} nats a mail).")

# %% [markdown]
# ## Where it fails
#
# The good mails that the fine-tuned model is surest are spam, and the spam that it is surest is good. Shortened, and data.

# %%
worst = evaluation.hardest(data["test"], two(scores["fine-tuned"]["test"]), k=8)
worst.assign(text=worst["text"].str.replace("\n", " / ").str.slice(0, 100)).round(3)

# %% [markdown]
# Newsletters that somebody asked for look like advertising, because they are. Whether they are spam is not in the text but in what the reader wants. That is why good filters ask, and learn from each reader's answers.
#
# ## On your own data
#
# Keep mails as files in two folders, `ham` and `spam`. Three lines:

# %%
from pathlib import Path

for place in list(range(40)) + list(np.flatnonzero(np.array(data["train"]["label"]) == 1)[:40]):
    row = data["train"][int(place)]
    folder = Path("mails", corpus.labels[row["label"]])
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{place}.eml").write_text(f"Date: {row['date']} +0000\nSubject: {row['text']}", encoding="utf-8")

# %%
own = mail.mails(Path("mails"))
own[["text", "label"]].to_csv("mails.csv", index=False)
print(own["label"].value_counts().to_dict())

# %% [markdown]
# One command fine-tunes on them and prints the ladder (one pass over 60 mails cut to 32 tokens: it shows the command, not a good filter):

# %%
import shlex
import subprocess
import sys

command = "helpers train --data mails.csv --output filter --epochs 1 --max-length 32"
print(subprocess.run([sys.executable, "-m", *shlex.split(command)], capture_output=True, text=True, check=True).stdout)

# %% [markdown]
# ## Exercises
#
# **1.** A colleague reports a filter with 99 % recall at a false-positive rate of 1 %, and a mailbox with one spam mail in 500. What share of its alarms is false?

# %% tags=["hide-cell"]
false_alarms = 1 - thresholds.precision_at(0.99, 0.01, 1 / 500)
print(f"{false_alarms:.0%}")
assert 0.8 < false_alarms < 0.85

# %% [markdown]
# **2.** How many good mails must validation have, so that a threshold that loses none of them loses at most 0.5 % of all good mail, with 95 % confidence? (If the true rate were 0.5 %, how likely would $n$ mails without a loss be?)

# %% tags=["hide-cell"]
needed = int(np.ceil(np.log(0.05) / np.log(1 - 0.005)))
print(needed)
assert 0.995**needed <= 0.05 < 0.995 ** (needed - 1)

# %% [markdown]
# ## Summary
#
# - Fix the share of good mail that you may lose, then compare what filters catch. Accuracy hides it.
# - Remove what tells the label without being the message: headers, copies, threads, time.
# - A threshold from few validation mails is a weak promise. Precision moves with the share of spam; say both.
# - Set the threshold by costs. At 20 to 1, half is far too low.
# - Filters that count words are strong and cheap, and are the first to fall when senders misspell. Train with the noise that you expect.
#
# *The source* names mail filtering as a use of fine-tuned models. It says nothing of the cost of a lost mail, of senders who adapt, or of the filters that have done this work for twenty years.
#
# References: Graham 2002 and Robinson 2003 (SpamBayes), Elkan 2001 (costs), Guo et al. 2017 (calibration).
