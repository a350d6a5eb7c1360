"""Drawings of tokens in a row: masks, the turns of a chat, batches, windows over a context, spans of tags."""

from collections.abc import Mapping, Sequence

from helpers.book.diagrams.canvas import LINE, SMALL, TOKEN, Canvas, Drawing, drawing, span
from helpers.errors import InputError

ROOM = 1.1  # of what `span` says: some fonts are wider, and a text must not run into the box beside it
SPAN_KINDS = ("good", "plum", "new", "bad", "vector")  # the colours of up to five kinds of span


def masks(tokens: Sequence[str], position: int) -> Drawing:
    """Which tokens the one at `position` sees: all in an encoder, those before it and itself in a decoder."""

    def layout(canvas: Canvas) -> None:
        y = 8.0
        for title, seen in (
            ("bidirectional (BERT): sees all", range(len(tokens))),
            ("causal (GPT): sees what came before, and itself", range(position + 1)),
        ):
            canvas.text(8, y + 14, title, "soft")
            bow = 18 + 3 * len(tokens)
            y += 30 + bow
            kinds = ["token" if i in seen else "token open" for i in range(len(tokens))]
            kinds[position] = "token new"
            places = canvas.tokens(8, y, _fitting(tokens, canvas.width - 8), kinds)
            middles = [x + width / 2 for x, _, width in places]
            for i in seen:
                if i != position:
                    canvas.curve((middles[i], y - 2), (middles[position], y - 2), -bow / 2 - 4 * abs(i - position))
            if len(seen) < len(tokens):
                canvas.text((middles[len(seen)] + middles[-1]) / 2, y + TOKEN + 16, "hidden", "soft", "middle")
            y += TOKEN + 16

    seen = " ".join(tokens[: position + 1])
    return drawing(
        f"The token “{tokens[position]}” sees every token of “{' '.join(tokens)}” in a bidirectional model, and only "
        f"“{seen}” in a causal one.",
        layout,
    )


def _fitting(tokens: Sequence[str], width: float) -> list[str]:
    """The tokens, the long ones shortened until all stand in one line, since arrows lead from one to the other."""
    tokens, longest = list(tokens), max(map(len, tokens))
    while longest > 2 and sum(max(26, span(token, SMALL, mono=True) + 14) + 6 for token in tokens) > width:
        longest -= 1
        tokens = [token if len(token) <= longest else f"{token[: longest - 1]}…" for token in tokens]
    return tokens


def chat(turns: Sequence[tuple[str, Sequence[str], Sequence[bool]]]) -> Drawing:
    """The tokens of a chat as coloured turns: those that count in the loss are filled, the others are context.

    Args:
        turns: of each turn the role, its tokens, and whether each token counts.
    """

    def layout(canvas: Canvas) -> None:
        y = 8.0
        for role, tokens, counts in turns:
            trained = sum(counts)
            words = f"{role}: {trained} of {len(tokens)} tokens count" if trained else f"{role}: context, none counts"
            canvas.text(8, y + 14, words, "soft lit" if trained else "soft")
            places = canvas.tokens(8, y + 24, tokens, ["token new" if count else "token faint" for count in counts])
            y = max(place[1] for place in places) + TOKEN + 18

    total = sum(sum(counts) for _, _, counts in turns)
    tokens = sum(len(tokens) for _, tokens, _ in turns)
    return drawing(f"A chat of {len(turns)} turns: {total} of its {tokens} tokens count in the loss.", layout)


def batches(lengths: Sequence[int], rows: int) -> Drawing:
    """The same texts padded as they come, sorted by length first, and packed into full rows.

    Args:
        lengths: of the texts in tokens.
        rows: of a batch.
    """
    ordered = sorted(lengths)
    packed = _packed(lengths, max(lengths))
    ways = (
        ("as they come", [[[n] for n in lengths[i : i + rows]] for i in range(0, len(lengths), rows)]),
        ("sorted by length", [[[n] for n in ordered[i : i + rows]] for i in range(0, len(ordered), rows)]),
        ("packed", [packed]),
    )
    used = sum(lengths)
    shares = {name: 1 - used / sum(len(b) * max(map(sum, b)) for b in way) for name, way in ways}

    def layout(canvas: Canvas) -> None:
        columns, gap = 1 if canvas.upright else len(ways), 32
        width = (canvas.width - 16 - gap * (columns - 1)) / columns
        y = 0.0
        for number, (name, way) in enumerate(ways):
            x = 8 + (number % columns) * (width + gap)
            top = y if columns > 1 else canvas.height + (12 if number else 0)
            canvas.text(x, top + 18, name, "strong")
            canvas.text(x, top + 36, f"{shares[name]:.0%} of the places are padding", "soft")
            _padded(canvas, x, top + 46, width, way, max(lengths))

    return drawing(
        "Padding: " + "; ".join(f"{name} {share:.0%} of the places" for name, share in shares.items()) + ".", layout
    )


def _packed(lengths: Sequence[int], most: int) -> list[list[int]]:
    """Texts put one after the other into rows of at most `most` tokens, the longest first."""
    rows: list[list[int]] = []
    for length in sorted(lengths, reverse=True):
        room = next((row for row in rows if sum(row) + length <= most), None)
        if room is None:
            rows.append([length])
        else:
            room.append(length)
    return rows


def _padded(canvas: Canvas, x: float, y: float, width: float, way: Sequence, most: int) -> None:
    scale = width / most
    for batch in way:
        longest = max(map(sum, batch))
        for row in batch:
            left = x
            for length in row:
                canvas.box(left, y, max(2, length * scale - 2), 12, "vector")
                left += length * scale
            if sum(row) < longest:
                canvas.box(left, y, (longest - sum(row)) * scale - 2, 12, "open faint")
            y += 15
        y += 8


def windows(tokens: int, window: int, stride: int, answer: tuple[int, int]) -> Drawing:
    """Windows over a long context, and in which of them an answer stands whole.

    Args:
        tokens: of the context.
        window, stride: tokens of a window, and from the beginning of one to that of the next.
        answer: its first and its last token.
    """
    starts = [0]
    while starts[-1] + window < tokens:
        starts.append(starts[-1] + stride)
    whole = [start <= answer[0] and answer[1] < start + window for start in starts]

    def layout(canvas: Canvas) -> None:
        scale = (canvas.width - 16) / (starts[-1] + window)
        canvas.text(8, 18, f"a context of {tokens} tokens, the answer in it", "soft")
        canvas.box(8, 26, tokens * scale, 18, "token")
        canvas.box(8 + answer[0] * scale, 26, max(4, (answer[1] - answer[0] + 1) * scale), 18, "good")
        for number, (start, holds) in enumerate(zip(starts, whole, strict=True)):
            y = 56 + 46 * number
            words = "holds the answer" if holds else "says: no answer here"
            title = f"window {number + 1}: {words}"
            canvas.text(min(8 + start * scale, canvas.width - ROOM * span(title, SMALL) - 8), y + 12, title, "soft")
            canvas.box(
                8 + start * scale, y + 18, min(window, tokens - start) * scale, 18, "vector" if holds else "open"
            )
            if holds:
                canvas.box(8 + answer[0] * scale, y + 18, max(4, (answer[1] - answer[0] + 1) * scale), 18, "good")

    held = [str(number + 1) for number, holds in enumerate(whole) if holds]
    return drawing(
        f"A context of {tokens} tokens is read in {len(starts)} windows of {window}, a new one every {stride}; the "
        f"answer stands whole in window {' and '.join(held) or 'none'}.",
        layout,
    )


def check_tags(words: Sequence[str], rows: Mapping[str, Sequence[str]]) -> None:
    """InputError if a row of tags has another length than the words."""
    for title, tags in rows.items():
        if len(tags) != len(words):
            raise InputError(f"'{title}' has {len(tags)} tags for {len(words)} words; give one tag a word")


def spans(words: Sequence[str], rows: Mapping[str, Sequence[str]]) -> Drawing:
    """Words with their spans coloured, once for each of some taggings in BIO, such as gold and predicted.

    Args:
        words: N of them.
        rows: by title, N tags such as B-PER, I-PER and O.

    Raises InputError for another number of tags than words.
    """
    check_tags(words, rows)
    kinds = sorted({tag[2:] for tags in rows.values() for tag in tags if tag != "O"})
    colour = {kind: SPAN_KINDS[i % len(SPAN_KINDS)] for i, kind in enumerate(kinds)}

    def layout(canvas: Canvas) -> None:
        y = 0.0
        for title, tags in rows.items():
            below = canvas.paragraph(8, y + 18, title, (canvas.width - 16) / ROOM)  # the baseline of a next line
            y = _tagged(canvas, 8, below - 6, words, tags, colour) + LINE

    return drawing("; ".join(f"{title}: {_marked(words, tags)}" for title, tags in rows.items()) + ".", layout)


def _groups(words: Sequence[str], tags: Sequence[str]) -> list[tuple[str, str]]:
    """Spans and the words between them, in order: (kind or "", text)."""
    groups: list[tuple[str, list[str]]] = []
    for word, tag in zip(words, tags, strict=True):
        kind = tag[2:] if tag != "O" else ""
        if groups and kind and tag[0] == "I" and groups[-1][0] == kind:
            groups[-1][1].append(word)
        else:
            groups.append((kind, [word]))
    return [(kind, " ".join(text)) for kind, text in groups]


def _marked(words: Sequence[str], tags: Sequence[str]) -> str:
    return " ".join(f"[{text}: {kind}]" if kind else text for kind, text in _groups(words, tags))


def _tagged(canvas: Canvas, x: float, y: float, words, tags, colour: Mapping[str, str]) -> float:
    """Words and spans in lines; what stands between spans is one text of the width that is kept free for it."""
    left, plain, start = x, "", x

    def written() -> None:
        nonlocal plain
        if plain:
            canvas.text(start, y + 18, plain, width=span(plain))
        plain = ""

    for kind, text in _groups(words, tags):
        width = ROOM * span(text) + (span(f" {kind}", SMALL) + 18 if kind else 0)
        if x + width > canvas.width - 8 and x > left:
            written()
            x, y, start = left, y + 34, left
        if kind:
            written()
            canvas.box(x, y, width, 26, colour[kind])
            canvas.text(x + 7, y + 18, text)
            canvas.text(x + width - 7, y + 18, kind, "soft", "end")
            start = x + width + 6
        else:
            plain = f"{plain} {text}".strip()
        x = start + span(f"{plain} ") + 2 if plain else x + width + 6
    written()
    return y + 30
