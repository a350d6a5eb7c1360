"""What a layer is made of: BERT's beside a Llama-style decoder's, attention with its numbers, LoRA beside a weight."""

from collections.abc import Sequence

import numpy as np

from helpers.book.diagrams.canvas import Canvas, Drawing, drawing

_BERT = (("attention", "all tokens see all", "body"), ("add, LayerNorm", "", "open"),
         ("feed-forward", "D → 4D → D, GELU", "body"), ("add, LayerNorm", "", "open"))  # fmt: skip
_LLAMA = (("RMSNorm", "", "open"), ("attention", "causal, rotated by position", "body"), ("add", "", "open"),
          ("RMSNorm", "", "open"), ("feed-forward", "D → F → D, gated SiLU", "body"), ("add", "", "open"))  # fmt: skip

_SHORT = {  # for a phone
    "all tokens see all": "all see all",
    "D → 4D → D, GELU": "4D, GELU",
    "causal, rotated by position": "causal, RoPE",
    "D → F → D, gated SiLU": "gated SiLU",
}


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
        if note and canvas.upright:
            note = _SHORT[note]
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
        x: their vectors, shape (T, D) with D at most 3, so that the numbers have room.
        weights: the matrices of queries, keys and values, each (D, K) with K at most 3.
        query: the position whose new vector is computed.
    """
    q, k, v = (x @ weight for weight in weights)  # (T, K) each
    scores = q[query] @ k.T / np.sqrt(q.shape[-1])  # (T,)
    shares = np.exp(scores - scores.max())
    shares = shares / shares.sum()
    out = shares @ v  # (K,)

    def layout(canvas: Canvas) -> None:
        columns = (("token", 0.0), ("x", 0.17), ("k", 0.35), ("q·k/√K", 0.53), ("share", 0.69), ("v", 0.85))
        place = {name: 8 + at * (canvas.width - 16) for name, at in columns}
        for name, left in place.items():
            canvas.text(left, 20, name, "soft")
        for row, token in enumerate(tokens):
            y = 52 + 34 * row
            canvas.text(place["token"], y, token, "mono lit" if row == query else "mono")
            for name, values in (("x", x), ("k", k), ("v", v)):
                canvas.text(place[name], y, _numbers(values[row]), "mono")
            canvas.text(place["q·k/√K"], y, f"{scores[row]:+.1f}", "mono")
            canvas.box(place["share"] - 2, y - 17, max(2, 0.13 * canvas.width * shares[row]), 24, "good")
            canvas.text(place["share"] + 2, y, f"{shares[row]:.2f}", "mono")
        y = 52 + 34 * len(tokens) + 8
        canvas.text(8, y, f"q of “{tokens[query]}” = {_numbers(q[query])}", "lit")
        canvas.text(8, y + 26, f"new vector = sum of share · v = {_numbers(out)}", "strong")

    return drawing(
        f"The new vector of “{tokens[query]}” is a weighted mean of all values: "
        + ", ".join(f"{share:.2f} of “{token}”" for token, share in zip(tokens, shares, strict=True)) + ".",
        layout,
    )  # fmt: skip


def _numbers(values: np.ndarray) -> str:
    return " ".join(f"{value:.1f}" for value in values)


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
