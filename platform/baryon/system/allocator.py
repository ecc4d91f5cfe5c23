"""Keep freed memory in the process while it trains on a CPU.

glibc gives large blocks back to the kernel as soon as they are freed, so every step asks for its
activations anew and the kernel has to clear each page, which took a third of a step. See
`man 3 mallopt`.
"""

from __future__ import annotations

import ctypes

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4
NEVER = 2**31 - 1


def keep_freed_memory() -> None:
    """Serve large blocks from the heap from now on, and never shrink it."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:  # glibc alone has it
        mallopt(M_MMAP_MAX, 0)
        mallopt(M_TRIM_THRESHOLD, NEVER)
