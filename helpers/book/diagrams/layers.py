"""What a layer is made of: BERT's beside a Llama-style decoder's, attention with its numbers, LoRA beside a weight."""

from collections.abc import Sequence

import numpy as np

from helpers.book.diagrams.canvas import Canvas, Drawing, drawing
from helpers.book.typography import typeset

_BERT = (("attention", "all tokens see all", "body"), ("add, LayerNorm", "", "open"),
         ("feed-forward", "GELU", "body"), ("add, LayerNorm", "", "open"))  # fmt: skip
_LLAMA = (("RMSNorm", "", "open"), ("attention", "causal, rotated", "body"), ("add", "", "open"),
          ("RMSNorm", "", "open"), ("feed-forward", "gated, SiLU", "body"), ("add", "", "open"))  # fmt: skip


def two_layers() -> Drawing:
    """A layer of BERT beside a layer of a Llama-style decoder."""

    def layout(canvas: Canvas) -> None:
        gap = 16
        width = (canvas.width - 3 * gap) / 2
        for number, (name, steps, skips) in enumerate(
            (("A layer of BERT", _BERT, ((0, 1), (2, 3))), ("A layer of Llama", _LLAMA, ((0, 2), (3, 5))))
        ):
            x = gap + number * (width + gap)
            canvas.text(x + 20, 20, name, "strong")
            _stack(canvas, x, 56, width, steps, skips)

    return drawing(
        "BERT: attention in which all tokens see all, add and LayerNorm, feed-forward with GELU, add and LayerNorm. "
        "Llama: RMSNorm, causal attention with rotated positions, add, RMSNorm, gated feed-forward, add. In both, a "
        "residual line leads around each of the two blocks; BERT normalises after adding, Llama before.",
        layout,
    )


def _stack(canvas: Canvas, x: float, y: float, width: float, steps: Sequence, skips: Sequence) -> None:
    """Blocks one below the other, with a residual line at the left around each pair of `skips`."""
    rail, middle, places = 20, x + 20 + (width - 20) / 2, []
    canvas.text(middle, y - 14, "x (T by D)", "soft", "middle")
    for name, note, kind in steps:
        high = 46 if note else 28
        canvas.wire([(middle, y - 10), (middle, y)])
        canvas.box(x + rail, y, width - rail, high, kind, name, note)
        places.append((y, high))
        y += high + 12
    canvas.wire([(middle, y - 10), (middle, y + 6)])
    for first, last in skips:
        top, (bottom, high) = places[first][0] - 6, places[last]
        canvas.wire([(middle, top), (x + 8, top), (x + 8, bottom + high / 2), (x + rail - 2, bottom + high / 2)])


def query_key_value(tokens: Sequence[str], x: np.ndarray, weights: Sequence[np.ndarray], query: int) -> Drawing:
    """Attention for one token with its numbers: x to q, k and v, scores, softmax, and the weighted mean of the values.

    Args:
        tokens: T of them.
        x: their vectors, shape (T, 2).
        weights: the matrices of queries, keys and values, each (2, 2).
        query: the position whose new vector is computed.
    """
    parts = [x @ weight for weight in weights]  # q, k and v, (T, K) each
    q, k, v = parts
    scores = q[query] @ k.T / np.sqrt(q.shape[-1])  # (T,)
    shares = np.exp(scores - scores.max())
    shares = shares / shares.sum()
    out = shares @ v  # (K,)

    def layout(canvas: Canvas) -> None:
        y = _three_maps(canvas, tokens, x, weights, query)
        left, top = (8, y + 20) if canvas.upright else (468, 106)
        _shares(canvas, left, top, tokens, scores, shares, query)
        y = max(y, top + 34 * len(tokens)) + 26
        lines = [f"new vector of “{tokens[query]}”", f"= sum of share · v = {_vector(out)}"]
        for line in lines if canvas.upright else [" ".join(lines)]:
            canvas.text(8, y, line, "strong")
            y += 22

    return drawing(
        f"x times three matrices makes q, k and v of each token. The new vector of “{tokens[query]}” is a weighted "
        "mean of all values: "
        + ", ".join(f"{share:.2f} of “{token}”" for token, share in zip(tokens, shares, strict=True)) + ".",
        layout,
    )  # fmt: skip


def _three_maps(canvas: Canvas, tokens: Sequence[str], x: np.ndarray, weights: Sequence, query: int) -> float:
    """The tokens with x, q, k and v, below the matrices that make them; returns where they end."""
    step = 72 if canvas.upright else 92
    places = [68 + step * i if canvas.upright else 90 + step * i for i in range(4)]
    lettering = "soft" if canvas.upright else "mono"
    canvas.wire([(places[0] + 24, 92), (places[0] + 24, 10), (places[3] + 26, 10)], tip=False)
    canvas.text(places[0] + 20, 106, "x", "soft")
    for name, weight, left in zip("QKV", weights, places[1:], strict=True):
        canvas.wire([(left + 26, 10), (left + 26, 22)])
        canvas.box(left - 2, 22, 58, 60, "body")
        canvas.text(left + 30, 38, "W", "strong", "end")
        canvas.text(left + 31, 42, name, "soft")
        for line, row in enumerate(weight):
            canvas.text(left + 27, 58 + 18 * line, " ".join(map(_number, row)), "mono", "middle")
        canvas.text(left + 22, 106, name.lower(), "soft lit" if name == "Q" else "soft")
    for row, token in enumerate(tokens):
        y = 134 + 34 * row
        canvas.text(8, y, token, "mono lit" if row == query else "mono")
        for number, (left, values) in enumerate(zip(places, (x, *(x @ weight for weight in weights)), strict=True)):
            kind = ("lit" if row == query else "faint") if number == 1 else ""
            canvas.text(left + 54, y, _vector(values[row]), f"{lettering} {kind}".strip(), "end")
    return 134 + 34 * len(tokens) - 20


def _shares(canvas: Canvas, left: float, top: float, tokens, scores: np.ndarray, shares: np.ndarray, query: int):
    """The scores of one query with every key, and the softmax of them as bars."""
    canvas.text(left, top, f"q of “{tokens[query]}” · k / √2", "soft lit")
    bars = left + (150 if not canvas.upright else 160)
    canvas.text(bars, top, "softmax: share", "soft")
    room = canvas.width - bars - 48
    for row, (token, score, share) in enumerate(zip(tokens, scores, shares, strict=True)):
        y = top + 28 + 34 * row
        if canvas.upright:
            canvas.text(left, y, token, "mono")
        canvas.text(left + 70, y, typeset(f"{score:+.1f}"), "mono")
        canvas.box(bars, y - 17, max(2, room * share), 24, "good")
        canvas.text(bars + max(2, room * share) + 6, y, f"{share:.2f}", "mono")


def heads(number: int) -> Drawing:
    """Multi-head attention as a sum: the heads side by side, times the rows of the output matrix that meet them.

    Args:
        number: of heads, at most 4.
    """
    kinds = ("vector", "good", "plum", "new")[:number]

    def layout(canvas: Canvas) -> None:
        unit = 30 if canvas.upright else 46  # px of one head's width; a matrix of T rows is drawn 1.6 times as high
        wide, high, left = unit * number, 1.6 * unit * 1.5, 40
        canvas.text(left, 18, "heads: T by D", "soft")
        for h, kind in enumerate(kinds):
            canvas.box(left + unit * h, 30, unit, high, kind, f"{h + 1}")
        canvas.text(8, 30 + high / 2 + 5, "T", "soft")
        canvas.text(left, 30 + high + 18, f"width D/{number} each", "soft")
        x = left + wide + 28
        canvas.text(x - 16, 30 + high / 2 + 5, "·", "strong")
        if not canvas.upright:
            canvas.text(x, 18, "output matrix: D by D", "soft")
        for h, kind in enumerate(kinds):
            canvas.box(x, 30 + unit * h, wide, unit, kind, f"rows of {h + 1}")
        y = 30 + max(high, wide) + 40
        canvas.text(8, y - 6, "the sum of what each head adds:", "soft")
        for h, kind in enumerate(kinds):
            at = 24 + h * (wide + 24 if not canvas.upright else wide + 20)
            canvas.text(at - 16, y + high / 2 + 10, "+" if h else "=", "strong")
            canvas.box(at, y + 6, wide, high, kind, f"head {h + 1}" if canvas.upright else f"head {h + 1} · its rows")
        canvas.text(24, y + high + 26, "T by D each", "soft")

    return drawing(
        f"{number} heads of width D/{number} stand side by side and meet {number} blocks of D/{number} rows of the "
        f"output matrix; the product is the sum of {number} matrices of T by D, one of each head.",
        layout,
    )


def _vector(values: np.ndarray) -> str:
    return f"({', '.join(map(_number, values))})"


def _number(value: float) -> str:
    return typeset(f"{round(float(value), 1):g}")


def low_rank_update(rows: int, columns: int, rank: int) -> Drawing:
    """LoRA: a frozen weight (rows, columns) beside the two thin matrices that learn."""

    def layout(canvas: Canvas) -> None:
        room = min(200, canvas.width * 0.4)
        high = room * min(1.5, max(0.5, rows / columns))
        thin = max(16, room * rank / columns)
        left, top = 8, 48
        canvas.text(left, 20, "frozen", "soft")
        canvas.text(left, 38, f"{rows:,} by {columns:,}", "soft")
        canvas.box(left, top, room, high, "body frozen", "W", f"{rows * columns:,} weights")
        canvas.text(left + room + 14, top + high / 2 + 6, "+", "strong")
        x = left + room + 38
        canvas.text(x, 20, "trained", "soft lit")
        canvas.text(x, 38, f"r = {rank}", "soft")
        canvas.box(x, top, thin, high, "new", "B")
        canvas.text(x + thin + 8, top + high / 2 + 6, "·", "strong")
        wide = min(room, canvas.width - x - thin - 34)
        canvas.box(x + thin + 26, top + (high - thin) / 2, wide, max(thin, 24), "new", "A")
        count = rank * (rows + columns)
        canvas.paragraph(
            left,
            top + high + 26,
            f"B and A hold {count:,} weights: {count / (rows * columns):.1%} of W. After training they are added to W.",
            canvas.width - 2 * left,
        )

    return drawing(
        f"A frozen weight of {rows} times {columns}, plus the product of B, {rows} times {rank}, and A, {rank} times "
        f"{columns}, which are trained.",
        layout,
    )
