"""Systems side by side: what each scores, what the last gains over it, and the rows on which a model fails most."""

from collections.abc import Hashable, Mapping

import numpy as np
import pandas as pd
from datasets import Dataset
from sklearn import metrics as sklearn_metrics

from helpers.evaluation.intervals import Groups, Interval, interval, paired


def ladder(task, systems: Mapping[str, np.ndarray], references: np.ndarray, *, groups: Groups = None) -> pd.DataFrame:
    """One row per system, in the given order: its score with interval and n, and the gain of the last system over it.

    The gain is a `Difference` in a column that is headed, say, "fine-tuned minus this"; the last row has none. One run
    of each is compared, so it gives no verdict.

    Args:
        task: or a metric of texts, such as `metrics.load("chrf")`; predictions and references are then texts.
        systems: predictions on the same test rows, as the task's `predict` returns them.
        references: what the task's `references` returns for those rows.
        groups: what each row belongs to, shape (N,), as `interval` takes them; `n` counts rows all the same.

    A task whose score is no mean over rows has `per_row` return counts (N, K), and `from_counts` for the score.
    """
    settings = {"score": task.from_counts, "groups": groups, "highest": task.highest}
    quality = {name: task.per_row(predictions, references) for name, predictions in systems.items()}
    last = list(quality)[-1]
    rows = []
    for name, values in quality.items():
        mean = interval(values, **settings)
        gain = "" if name == last else paired(quality[last], values, **settings)
        row = {"system": name, task.selection_metric: mean.value, "low": mean.low, "high": mean.high, "n": mean.n}
        rows.append(row | {gain_heading(last): gain})
    return pd.DataFrame(rows).set_index("system")


def gain_heading(last: str) -> str:
    """The heading of the column that says what the last system of a ladder gains over each of the others."""
    return f"{last} minus this"


def hardest(data: Dataset, probabilities: np.ndarray, k: int = 10) -> pd.DataFrame:
    """The `k` rows with the highest loss: text, label, the predicted label, p(label), and the loss in nats.

    Wrong labels and texts with too little information are found here; reading them is the cheapest error analysis.

    Args:
        data: rows with `text` and `label`, N of them.
        probabilities: shape (N, C).
    """
    names, labels = data.features["label"].names, np.array(data["label"])
    likelihood = np.clip(probabilities[np.arange(len(labels)), labels], 1e-12, None)
    order = np.argsort(likelihood)[:k]
    predicted = probabilities.argmax(-1)
    return pd.DataFrame(
        {
            "text": [data[int(i)]["text"] for i in order],
            "label": [names[labels[i]] for i in order],
            "predicted": [names[predicted[i]] for i in order],
            "p(label)": likelihood[order],
            "loss": -np.log(likelihood[order]),
        },
        index=pd.Index(order, name="row"),
    )


def confusion(references: np.ndarray, predicted: np.ndarray, labels: tuple[str, ...]) -> pd.DataFrame:
    """Counts with true labels as rows and predicted labels as columns, shape (C, C)."""
    counts = sklearn_metrics.confusion_matrix(references, predicted, labels=range(len(labels)))
    return pd.DataFrame(counts, index=pd.Index(labels, name="label"), columns=pd.Index(labels, name="predicted"))


def table(intervals: Mapping[Hashable, Interval]) -> pd.DataFrame:
    """One row per name: value, low and high of its interval, and n."""
    columns = ["value", "low", "high", "n"]
    rows = [[getattr(estimate, column) for column in columns] for estimate in intervals.values()]
    return pd.DataFrame(rows, index=pd.Index(list(intervals)), columns=columns)
