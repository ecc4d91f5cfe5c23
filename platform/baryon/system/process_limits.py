"""Limits of a process that reads what may crash, loop or fill the memory."""

from __future__ import annotations

import resource
import signal


def guard_process(memory_bytes: int) -> None:
    """Limit the address space of this process, write no core, and leave signals to the command.

    The signals go to the command that started the process, whose end closes its input.
    """
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1):
        signal.signal(number, signal.SIG_IGN)
    _set_limit(resource.RLIMIT_AS, memory_bytes)
    _set_limit(resource.RLIMIT_CORE, 0)


def extend_cpu_limit(seconds: int) -> None:
    """Allow so much more of processor time from now on; an endless loop uses it up."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    _set_limit(resource.RLIMIT_CPU, int(used.ru_utime + used.ru_stime) + seconds)


def _set_limit(kind: int, most: int) -> None:
    """Set a limit of this process, unless the system has a lower one."""
    hard = resource.getrlimit(kind)[1]
    resource.setrlimit(kind, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))
