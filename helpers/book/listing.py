"""A training script with eight bugs, repaired one after the other: the text that a page shows is the text that runs.

Each part of the script has variants. A variant names the repairs that it needs, and `parts` takes of each part the last
one whose repairs are made; so the broken script, the repaired one and all between come from one place. A comment
`# bug 3` at the end of a line says which bug stands there, or is repaired there; a page shows it in the margin.
"""

from collections.abc import Iterable
from copy import deepcopy
from typing import Any

import torch
from torch.nn.functional import cross_entropy
from torch.optim import Adam, AdamW
from torch.utils.data import DataLoader
from transformers import DataCollatorWithPadding, get_linear_schedule_with_warmup
from transformers.trainer_pt_utils import LengthGroupedSampler

BUGS = {
    1: "there are no data",
    2: "a batch is a dictionary",
    3: "no label reaches the model",
    4: "tokenised again in every epoch",
    5: "no device",
    6: "no training mode",
    7: "no decay, no schedule",
    8: "nobody looks",
}
CHOICE = "model.load_state_dict(kept)"  # what the repaired script ends with: the weights of the best epoch
IMPORTS = {
    value.__name__: value
    for value in (
        Adam,
        AdamW,
        DataCollatorWithPadding,
        DataLoader,
        LengthGroupedSampler,
        cross_entropy,
        deepcopy,
        get_linear_schedule_with_warmup,
        torch,
    )
}
_PARTS = (
    {
        (): "",
        (5,): """\
device = "cpu"
if torch.cuda.is_available():  # bug 5
    device = "cuda"
model.to(device)  # bug 5""",
    },
    {
        (): "",
        (1,): """\
dataset = [  # bug 1
    {"text": text, "label": label}
    for text, label in zip(texts, labels)
]""",
        (1, 4): """\
dataset = [  # bug 1
    {**tokenizer(text, truncation=True),  # bug 4
     "labels": label}  # bug 3
    for text, label in zip(texts, labels)
]""",
    },
    {
        (): """\
data_loader = DataLoader(
    dataset,  # bug 1
    batch_size=32,
    shuffle=True,
)""",
        (4,): """\
pad = DataCollatorWithPadding(tokenizer)
data_loader = DataLoader(
    dataset, batch_size=32, collate_fn=pad,
    sampler=LengthGroupedSampler(32, dataset),  # bug 4
)""",
    },
    {
        (): "",
        (8,): """\
unseen = tokenizer(  # bug 8
    unseen_texts, padding=True,
    truncation=True, return_tensors="pt",
).to(device)
truth = torch.tensor(unseen_labels).to(device)
best = -1.0""",
    },
    {
        (): """\
optimizer = Adam(  # bug 7
    model.parameters(), lr=2e-5
)""",
        (7,): """\
matrices, others = [], []
for p in model.parameters():
    group = matrices if p.ndim > 1 else others
    group.append(p)
optimizer = AdamW([  # bug 7
    {"params": matrices, "weight_decay": 0.01},
    {"params": others, "weight_decay": 0.0},
], lr=2e-5)
steps = 10 * len(data_loader)
schedule = get_linear_schedule_with_warmup(  # bug 7
    optimizer, 0.1 * steps, steps
)""",
    },
    {(): "for epoch in range(10):  # bug 8", (8,): "for epoch in range(10):"},
    {(): "", (6,): "    model.train()  # bug 6"},
    {(): "    for batch in data_loader:"},
    {
        (): """\
        inputs = tokenizer(  # bug 4
            batch.text,  # bug 2
            padding=True,
            truncation=True,
            return_tensors="pt",
        )""",
        (2,): """\
        inputs = tokenizer(  # bug 4
            batch["text"],  # bug 2
            padding=True,
            truncation=True,
            return_tensors="pt",
        )""",
        (2, 4): "        inputs = batch  # bug 2",
        (2, 4, 5): "        inputs = batch.to(device)  # bugs 2, 5",
    },
    {
        (): "        outputs = model(**inputs)  # bugs 3, 5, 6",
        (3,): """\
        outputs = model(  # bugs 5, 6
            **inputs, labels=batch["label"]  # bug 3
        )""",
        (3, 4): "        outputs = model(**inputs)  # bug 3",
    },
    {(): "        loss = outputs.loss\n        loss.backward()"},
    {
        (): "        optimizer.step()",
        (7,): """\
        torch.nn.utils.clip_grad_norm_(  # bug 7
            model.parameters(), 1.0
        )
        optimizer.step()
        schedule.step()  # bug 7""",
    },
    {(): "        optimizer.zero_grad()"},
    {
        (): "",
        (8,): """\
    model.eval()
    with torch.no_grad():  # bug 8
        logits = model(**unseen).logits
    loss = cross_entropy(logits, truth).item()
    right = logits.argmax(-1) == truth
    score = right.float().mean().item()
    print(epoch, loss, score)  # bug 8
    if score > best:
        best = score
        kept = deepcopy(model.state_dict())
model.load_state_dict(kept)  # bug 8""",
    },
)


def parts(repairs: Iterable[int] = ()) -> list[str]:
    """The parts of the script with some repairs made; a part that is not there yet is empty."""
    made = set(repairs)
    return [[code for needed, code in variants.items() if made.issuperset(needed)][-1] for variants in _PARTS]


def script(repairs: Iterable[int] = ()) -> str:
    """The script with some repairs made: none gives the broken one, all of `BUGS` the repaired one."""
    return "\n".join(part for part in parts(repairs) if part) + "\n"


def shortened(code: str, epochs: int) -> str:
    """The script with fewer epochs than its ten; its schedule, if it has one, ends with them."""
    return code.replace("range(10)", f"range({epochs})").replace("10 * len(", f"{epochs} * len(")


def run(code: str, **names: Any) -> dict[str, Any]:
    """Run a script with its imports and with the names that it takes for granted; returns all its names."""
    known = IMPORTS | names
    exec(code, known)
    return known


def death(code: str, **names: Any) -> str:
    """What a script dies of, or that it ran."""
    try:
        run(code, **names)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return "it ran"
