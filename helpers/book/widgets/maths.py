"""Widgets of the mathematics: from scores to the gradient, the scaling of attention, a trellis step by step."""

from collections.abc import Sequence

import numpy as np
from IPython.display import HTML

from helpers.book.widgets.base import widget
from helpers.errors import InputError

_SOFTMAX = """
  data.labels.forEach((name, i) => slider("z" + i, "score of " + name, -4, 4, 0.1, data.scores[i], v => v.toFixed(1)));
  choose("right", "the right label", data.labels, data.right);
  const heads = ["probability p (softmax)", "how a step moves each score: -(p - y)"];
  const places = heads.map(text => { make("h4", body, text); return make("div", body); });
  const paint = () => {
    const scores = data.labels.map((_, i) => state["z" + i]);
    const p = softmax(scores);
    const gradient = p.map((value, i) => value - (i === state.right ? 1 : 0));
    const loss = -Math.log(p[state.right]);
    bars(places[0], data.labels.map((name, i) => (
      {name, to: p[i], text: p[i].toFixed(3), kind: i === state.right ? "right" : ""})));
    // A step goes against the gradient, so the bar of a score that rises leads to the right.
    bars(places[1], data.labels.map((name, i) => ({
      name: (gradient[i] < 0 ? "↑ " : "↓ ") + name, from: 0.5, to: 0.5 - gradient[i] / 2,
      text: (gradient[i] < 0 ? "+" : "") + (-gradient[i]).toFixed(3), kind: gradient[i] < 0 ? "right" : "warm"})));
    show({p, gradient, loss}, "The loss is -log " + p[state.right].toFixed(3) + " = " + loss.toFixed(3) +
      " nats. A step raises the score of " + data.labels[state.right] + " and lowers the others.");
  };
"""
_SCALING = """
  slider("power", "width of a head", 0, 10, 1, 6, v => String(2 ** v));
  slider("temperature", "temperature", 0.2, 4, 0.1, 1, v => v.toFixed(1));
  const heads = ["shares without division", "shares divided by √width"];
  const places = heads.map(text => { make("h4", body, text); return make("div", body); });
  const entropy = p => -p.reduce((sum, x) => sum + (x > 0 ? x * Math.log(x) : 0), 0);
  const paint = () => {
    const width = 2 ** state.power;
    const plain = softmax(data.scores.map(z => z * Math.sqrt(width) / state.temperature));
    const scaled = softmax(data.scores.map(z => z / state.temperature));
    [plain, scaled].forEach((shares, which) => bars(places[which], data.tokens.map((name, i) => (
      {name, to: shares[i], text: shares[i].toFixed(2)}))));
    show({plain, scaled, entropy: [entropy(plain), entropy(scaled)]}, "A score q·k of vectors with entries of size " +
      "one has a standard deviation of √width = " + Math.sqrt(width).toFixed(1) + ". Without the division the " +
      "largest share is " + Math.max(...plain).toFixed(2) + ", with it " + Math.max(...scaled).toFixed(2) + ".");
  };
"""
_TRELLIS = """
  choose("way", "what is kept at each tag", ["best path (Viterbi)", "sum (forward)"],
    data.way);
  state.step = 0;
  const back = button("back", () => { state.step -= 1; });
  const next = button("next word", () => { state.step += 1; });
  const add = values => {
    const top = Math.max(...values);
    return top + Math.log(values.reduce((sum, value) => sum + Math.exp(value - top), 0));
  };
  const columns = () => {
    const sum = state.way === 1, kept = [data.emissions[0]], from = [];
    for (let t = 1; t < data.words.length; t++) {
      const reached = data.tags.map((_, k) => kept[t - 1].map((score, j) => score + data.transitions[j][k]));
      from.push(reached.map(values => values.indexOf(Math.max(...values))));
      kept.push(reached.map((values, k) => (sum ? add(values) : Math.max(...values)) + data.emissions[t][k]));
    }
    return {kept, from};
  };
  const paint = () => {
    const last = data.words.length - 1, {kept, from} = columns(), sum = state.way === 1;
    back.disabled = state.step === 0;
    next.disabled = state.step === last;
    const final = kept[state.step], path = [final.indexOf(Math.max(...final))];
    for (let t = state.step - 1; t >= 0; t--) path.unshift(from[t][path[0]]);
    body.replaceChildren();
    const table = make("table", body), head = make("tr", table);
    table.tabIndex = 0;  // it may scroll, also by keys
    ["", ...data.words].forEach(word => make("th", head, word));
    data.tags.forEach((tag, k) => {
      const row = make("tr", table);
      make("th", row, tag);
      data.words.forEach((_, t) => make("td", row, t <= state.step ? kept[t][k].toFixed(2) : "",
        !sum && t <= state.step && path[t] === k ? "lit" : ""));
    });
    const total = sum ? add(final) : Math.max(...final);
    const words = data.words.slice(0, state.step + 1).join(" ");
    show({kept: kept.slice(0, state.step + 1), path, total}, sum
      ? "Over “" + words + "” the scores of all paths add up to " + total.toFixed(2) + " (as a logarithm)."
      : "The best tags for “" + words + "” are " + path.map(k => data.tags[k]).join(" ") + ", score " +
        total.toFixed(2) + ".");
  };
"""


def softmax_and_loss(labels: Sequence[str], scores: Sequence[float], right: int) -> HTML:
    """Sliders for the scores of C labels; probabilities, loss, and the gradient p - y of each score.

    Args:
        labels, scores: C of each, scores between -4 and 4.
        right: the number of the right label.
    """
    if len(labels) != len(scores) or not 0 <= right < len(labels):
        raise InputError(f"{len(labels)} labels, {len(scores)} scores and right = {right} do not fit each other")
    data = {"labels": list(labels), "scores": [float(score) for score in scores], "right": right}
    return widget("softmax-and-loss", "From scores to the gradient", data, _SOFTMAX)


def scaling(tokens: Sequence[str], scores: Sequence[float]) -> HTML:
    """What the division by the root of the head's width, and the temperature, do to the shares of attention.

    Args:
        tokens: T of them.
        scores: their scores divided by the root of the width, such as draws from a normal distribution.
    """
    if len(tokens) != len(scores):
        raise InputError(f"{len(tokens)} tokens and {len(scores)} scores; give one score a token")
    data = {"tokens": list(tokens), "scores": [float(score) for score in scores]}
    return widget("scaling", "Attention with and without scaling", data, _SCALING)


def trellis_steps(
    words: Sequence[str], tags: Sequence[str], emissions: np.ndarray, transitions: np.ndarray, *, summed: bool = False
) -> HTML:
    """Viterbi's and the forward recursion, a word at a time.

    Args:
        words, tags: T and K of them.
        emissions: shape (T, K).
        transitions: from tag to tag, shape (K, K).
        summed: whether the sum over paths is shown first, not the best path.
    """
    if emissions.shape != (len(words), len(tags)) or transitions.shape != (len(tags), len(tags)):
        raise InputError(
            f"emissions {emissions.shape} and transitions {transitions.shape} do not fit {len(words)} words and "
            f"{len(tags)} tags"
        )
    data = {"words": list(words), "tags": list(tags), "way": int(summed)}
    scores = {"emissions": emissions.tolist(), "transitions": transitions.tolist()}
    return widget("trellis", "A trellis, word by word", data | scores, _TRELLIS)
