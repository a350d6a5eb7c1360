"""What a fine-tuning takes, counted from the shape of a transformer: bytes that are held at once, and operations.

Counted is what this package does: weights in fp32, AdamW, matrix products in fp32 or bf16, fused attention, pieces of a
step one after the other. Python, its libraries and the data come on top.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from transformers import PretrainedConfig

PRECISIONS = ("fp32", "bf16", "bf16, frozen weights too", "bf16, frozen weights in 4 bits")
FLOAT, HALF = 4, 2  # bytes of a number in fp32 and in bf16


@dataclass(frozen=True)
class Body:
    """The shape of a transformer, from which its costs follow.

    Attributes:
        layers: L of them.
        width: D.
        keys: width of all keys of a layer together, D unless heads share them (G·K).
        inner: I, the width inside the feed-forward network.
        gated: whether this network has three matrices, as in Llama, or two, as in BERT.
        embedded: rows of D numbers outside the layers: words, positions, an output layer of its own.
        vocabulary: V, how many scores the output layer gives each token; 0 for an encoder.
    """

    layers: int
    width: int
    keys: int
    inner: int
    gated: bool
    embedded: int
    vocabulary: int

    @property
    def sides(self) -> list[tuple[int, int]]:
        """Input and output width of each matrix of a layer."""
        network = [(self.width, self.inner)] * (2 if self.gated else 1) + [(self.inner, self.width)]
        return [(self.width, self.width)] * 2 + [(self.width, self.keys)] * 2 + network

    @property
    def in_layers(self) -> int:
        """Weights of the matrices of all layers."""
        return self.layers * sum(one * other for one, other in self.sides)

    @property
    def weights(self) -> int:
        """Weights of all matrices; biases and norms, about a thousandth, are left out."""
        return self.in_layers + self.embedded * self.width


class Cost(NamedTuple):
    """What a fine-tuning takes: bytes by what holds them, and floating-point operations.

    Attributes:
        trained: how many weights train.
        weights: bytes of all weights.
        copies: of the weights in bf16, in which products are computed.
        optimizer: of gradients and of AdamW's two moments.
        activations: of what a piece keeps between forward and backward.
        scores: of a piece over the vocabulary.
        operations: of the whole run; a multiplication and an addition are two.
    """

    trained: int
    weights: int
    copies: int
    optimizer: int
    activations: int
    scores: int
    operations: int

    @property
    def memory(self) -> int:
        """Bytes that are held at once, at most (eq-training-memory)."""
        return self.weights + self.copies + self.optimizer + self.activations + self.scores


def body(config: PretrainedConfig) -> Body:
    """The shape that the configuration of a BERT or a Llama gives."""
    gated = config.model_type == "llama"
    heads = config.num_attention_heads
    if gated:
        rows = config.vocab_size * (1 if config.tie_word_embeddings else 2)
    else:
        rows = config.vocab_size + config.max_position_embeddings + config.type_vocab_size
    return Body(
        layers=config.num_hidden_layers,
        width=config.hidden_size,
        keys=config.hidden_size // heads * (config.num_key_value_heads if gated else heads),
        inner=config.intermediate_size,
        gated=gated,
        embedded=rows,
        vocabulary=config.vocab_size if gated else 0,
    )


def fine_tuning(body: Body, rows: int, row_tokens: int, piece_tokens: int, precision: str, rank: int = 0) -> Cost:
    """What a fine-tuning takes (eq-training-memory, eq-training-cost).

    Args:
        rows: that are read, a row once an epoch.
        row_tokens: T, tokens of a row; of a decoder each of them counts in the loss.
        piece_tokens: tokens that go through the model at once, at least one row.
        precision: one of PRECISIONS.
        rank: of the LoRA matrices beside each matrix of the layers; 0 trains all weights instead.
    """
    beside = body.layers * rank * sum(map(sum, body.sides))
    trained = beside if rank else body.weights
    size = FLOAT if precision == "fp32" else HALF
    tokens = max(piece_tokens, row_tokens)
    kept = size * _kept(body, precision, rank) + 2 * FLOAT * body.width  # norms keep their input in fp32
    used = body.in_layers + body.vocabulary * body.width  # in products
    squared = body.layers * 4 * row_tokens * body.width
    passes = 2 if rank else 3  # frozen matrices need no gradient of their own
    return Cost(
        trained=trained,
        weights=_stored(body, precision, rank) + FLOAT * beside,
        copies=HALF * used if size == HALF and not _rounded(precision, rank) else 0,
        optimizer=3 * FLOAT * trained,
        activations=tokens * body.layers * kept,
        scores=tokens * body.vocabulary * 3 * FLOAT,
        operations=rows * row_tokens * (passes * 2 * used + 3 * squared + 6 * beside),
    )


def held(weights: int, processes: int, stage: int) -> int:
    """Bytes of weights, gradients and AdamW's moments that each of several processes holds (eq-sharding).

    What a layer gathers while it computes, and activations, come on top.

    Args:
        stage: what is parted among the processes (Rajbhandari et al. 2020): 0 nothing, 1 the moments, 2 the gradients
            too, 3 all, which is what `Recipe(shard=True)` does.
    """
    parts = (
        (FLOAT, 3),
        (FLOAT, 2),
        (2 * FLOAT, 1),
    )  # of weights, gradients and moments: bytes, and from which stage on
    return sum(size * weights // (processes if stage >= least else 1) for size, least in parts)


def operations(matrices: Iterable[tuple[int, bool, bool]], tokens: int) -> int:
    """Operations of a forward and a backward pass of some tokens through matrices (eq-partial-training).

    Args:
        matrices: of each the weights, whether a gradient goes on to its input, and whether it trains itself.
    """
    return sum(2 * tokens * weights * (1 + passes + trains) for weights, passes, trains in matrices)


def _rounded(precision: str, rank: int) -> bool:
    """Whether weights are kept in fewer bits than fp32, which those that do not train can be."""
    return rank > 0 and precision in PRECISIONS[2:]


def _stored(body: Body, precision: str, rank: int) -> int:
    """Bytes of the weights; in 4 bits, 64 of them share a scale in fp32, and those outside the layers are in bf16."""
    if not _rounded(precision, rank):
        return FLOAT * body.weights
    if precision == PRECISIONS[2]:
        return HALF * body.weights
    return body.in_layers * 9 // 16 + HALF * body.embedded * body.width


def _kept(body: Body, precision: str, rank: int) -> int:
    """How many numbers a layer keeps of a token between forward and backward, beside what its norms keep.

    In bf16 each matrix keeps a copy of its own of what it multiplies.
    """
    inputs = (1 + 1) if precision == "fp32" else 3 + (2 if body.gated else 1)  # of attention and of the network
    dropout = 0 if body.gated else 2  # masks
    network = 4 if rank and body.gated else 2  # a gate before an adapter is kept with what it lets through
    # and queries, keys, values, and their average
    return (inputs + dropout + 2) * body.width + 2 * body.keys + network * body.inner
