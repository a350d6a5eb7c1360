"""Memory that one training step frees and the next one needs stays with the process."""

import ctypes
import sys

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # numbers of glibc's malloc.h


def keep_freed() -> bool:
    """Have the C library keep freed memory up to the end of the process; returns whether it could be told.

    glibc gives large blocks back to the system as soon as they are free. A training step takes the same blocks as the
    step before, and would get each page of them anew and zeroed. Only glibc is told (`man 3 mallopt`); elsewhere
    nothing changes. The peak of memory is as before, but what lies between two peaks is not given back.
    """
    if sys.platform != "linux":
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # musl has none
    if mallopt is None:
        return False
    never, above = -1, 1 << 30
    return bool(mallopt(_TRIM_THRESHOLD, never)) and bool(mallopt(_MMAP_THRESHOLD, above))
