"""Widgets over the ledger: what a number of labels buys, and what a threshold of a mail filter costs."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from IPython.display import HTML

from helpers.book.widgets.base import widget
from helpers.errors import InputError

_CURVE = """
  const sizes = [...new Set(data.systems.flatMap(system => system.rows))].sort((a, b) => a - b);
  const log = Math.log2;
  const most = log(sizes[sizes.length - 1]);
  const whole = value => Math.round(value).toLocaleString("en");
  slider("size", "labels that you have", log(sizes[0]), most, 0.05, log(data.start), v => whole(2 ** v));
  const at = (system, values) => {
    const x = state.size, points = system.rows.map(log);
    const i = points.findIndex(point => point >= x - 1e-9);
    if (i < 0 || x < points[0] - 1e-9) return null;
    if (i === 0) return values[0];
    const share = (x - points[i - 1]) / (points[i] - points[i - 1]);
    return values[i - 1] + share * (values[i] - values[i - 1]);
  };
  const low = Math.min(...data.systems.flatMap(system => system.low)) - 0.02;
  const paint = () => {
    const reached = data.systems.map(system => ({
      name: system.name, mean: at(system, system.mean), low: at(system, system.low), high: at(system, system.high)}));
    const known = reached.filter(each => each.mean !== null).sort((a, b) => b.mean - a.mean);
    const place = value => (value - low) / (1 - low);
    bars(body, known.map((each, i) => ({name: each.name, from: place(each.low), to: place(each.high),
      text: each.mean.toFixed(3), kind: i === 0 ? "right" : ""})));
    const best = known[0];
    show({reached}, "With " + whole(2 ** state.size) + " labels " + best.name + " reaches " +
      best.mean.toFixed(3) + ", from " + best.low.toFixed(3) + " to " + best.high.toFixed(3) +
      " (between two sizes that were run: a straight line over the logarithm of the size).");
  };
"""
_THRESHOLD = """
  const top = data.good.length;
  const all = top.toLocaleString("en");
  slider("lost", "good mails that may be lost, of " + all, 0, Math.min(top - 1, data.most), 1, data.start);
  const worth = value => Math.round(10 ** value).toLocaleString("en");
  slider("ratio", "a lost mail costs as much as so many spams", 0, 3, 0.1, 2, worth);
  slider("share", "share of spam in your mail", 0.01, 0.95, 0.01, 0.5, v => Math.round(100 * v) + " %");
  const paint = () => {
    // The threshold lies just above the highest score of the good mails that are kept.
    const threshold = data.good[state.lost];
    const caught = data.spam.filter(score => score > threshold).length;
    const lost = data.good.filter(score => score > threshold).length;
    const [recall, fall] = [caught / data.spam.length, lost / data.good.length];
    const ratio = 10 ** state.ratio, share = state.share;
    const cost = 1000 * ((1 - share) * fall * ratio + share * (1 - recall));
    bars(body, [
      {name: "good mail lost", to: fall, text: (100 * fall).toFixed(2) + " %", kind: "warm"},
      {name: "spam caught", to: recall, text: (100 * recall).toFixed(1) + " %", kind: "right"}]);
    show({threshold, caught, lost, cost}, "Of " + data.spam.length + " spams " + caught + " are caught, of " +
      all + " good mails " + lost + " are lost. Per thousand mails that costs as much as " +
      cost.toFixed(0) + " spams in the inbox; without a filter it would be " + (1000 * share).toFixed(0) + ".");
  };
"""


def learning_curve(table: pd.DataFrame, start: int) -> HTML:
    """ "You have n labels": what each system reaches, with its band.

    Args:
        table: columns system, rows, mean, low and high; of each system at least one size.
        start: number of labels that is shown first.
    """
    wanted = {"system", "rows", "mean", "low", "high"}
    if missing := sorted(wanted - set(table.columns)):
        raise InputError(f"the table lacks {', '.join(missing)}")
    systems = [
        {"name": name, **{key: part[key].tolist() for key in ("rows", "mean", "low", "high")}}
        for name, part in table.sort_values("rows").groupby("system", sort=False)
    ]
    return widget("labels", "What a number of labels buys", {"systems": systems, "start": int(start)}, _CURVE)


def filter_threshold(good: Sequence[float], spam: Sequence[float], start: int = 0) -> HTML:
    """A threshold over the recorded scores of a mail filter: good mail lost, spam caught, and what that costs.

    Args:
        good, spam: scores of the mails of each kind, the higher the more like spam.
        start: how many good mails are lost at the threshold that is shown first.
    """
    if not len(good) or not len(spam):
        raise InputError("a filter needs scores of good mails and of spams; one of the two has none")
    ordered = np.sort(np.asarray(good, dtype=float))[::-1]
    data = {
        "good": np.round(ordered, 6).tolist(),
        "spam": np.round(np.sort(np.asarray(spam, dtype=float)), 6).tolist(),
        "most": max(1, len(ordered) // 10),
        "start": start,
    }
    return widget("threshold", "Where to set the threshold of a filter", data, _THRESHOLD)
