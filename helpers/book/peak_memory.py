"""How much memory a piece of torch code needs on the CPU, to the byte."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from torch.profiler import ProfilerActivity, profile


def peak_bytes(run: Callable[[], object]) -> int:
    """The most bytes that torch holds at one time in `run()`, kernels included, above what it held before."""
    with _silent(), profile(activities=[ProfilerActivity.CPU], profile_memory=True) as seen:
        run()
    now = peak = 0
    for event in seen.profiler.kineto_results.events():
        if event.name() == "[memory]":
            now += event.nbytes()
            peak = max(peak, now)
    return peak


@contextmanager
def _silent() -> Iterator[None]:
    """While this lasts, file descriptor 2 is muted: the profiler's C++ part writes there, and no option stops it."""
    stderr, null = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 2)
    try:
        yield
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)
        os.close(null)
