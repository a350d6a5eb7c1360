"""The CRF of helpers.maths against the package pytorch-crf: the same values, alternate runs, the ratio of their times.

    python benchmarks/crf.py

A ratio above 1 says that helpers.maths is faster. Both see the same scores, the same tags and the same padding.
"""

import statistics
import time
from collections.abc import Callable

import torch
import torchcrf

from helpers.maths import crf

SIZES = [(8, 32, 3), (32, 64, 9), (32, 128, 21), (16, 512, 9), (8, 64, 100)]  # rows, positions, tags
RUNS = 15


def case(rows: int, length: int, classes: int) -> tuple[dict[str, tuple[Callable, Callable]], torch.Tensor]:
    """Ours and theirs for training (loss and gradients) and for decoding, and the two losses per row (2, B)."""
    torch.manual_seed(0)
    peer = torchcrf.CRF(classes, batch_first=True)
    scores = crf.Transitions(peer.start_transitions, peer.transitions, peer.end_transitions)
    emissions = torch.randn(rows, length, classes, requires_grad=True)
    tags = torch.randint(classes, (rows, length))
    mask = torch.arange(length) < torch.linspace(length, length // 2, rows).long()[:, None]

    def ours() -> torch.Tensor:
        return crf.negative_log_likelihood(emissions, tags, scores, mask)

    def theirs() -> torch.Tensor:
        return -peer(emissions, tags, mask=mask, reduction="none")

    training = (lambda: ours().sum().backward(), lambda: theirs().sum().backward())
    decoding = (lambda: crf.viterbi(emissions, scores, mask), lambda: peer.decode(emissions, mask))
    return {"train": training, "decode": decoding}, torch.stack([ours(), theirs()]).detach()


def seconds(run: Callable) -> float:
    """How long one call takes."""
    began = time.perf_counter()
    run()
    return time.perf_counter() - began


def ratios(ours: Callable, theirs: Callable) -> list[float]:
    """Their time over ours in RUNS pairs of alternate runs, after one pair that is not counted."""
    pairs = [(seconds(ours), seconds(theirs)) for _ in range(RUNS + 1)]
    return [their / our for our, their in pairs[1:]]


def main() -> None:
    print(f"time of pytorch-crf / time of helpers.maths.crf, {RUNS} alternate runs, {torch.get_num_threads()} threads")
    print("rows  positions  tags  work      min  median    max")
    for size in SIZES:
        work, losses = case(*size)
        torch.testing.assert_close(losses[0], losses[1], rtol=1e-4, atol=1e-3)
        for name, (ours, theirs) in work.items():
            found = ratios(ours, theirs)
            numbers = f"{min(found):7.2f} {statistics.median(found):7.2f} {max(found):6.2f}"
            print(f"{size[0]:4}  {size[1]:9}  {size[2]:4}  {name:6}{numbers}")


if __name__ == "__main__":
    main()
