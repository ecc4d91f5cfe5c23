import resource
import subprocess
import sys

import pytest

FAULTS = """
import resource, torch
from baryon.system.allocator import keep_freed_memory
if {keep}:
    keep_freed_memory()
def step():
    return (torch.ones(2**24) + 1).sum()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(30):
    step()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def page_faults(keep: bool) -> int:
    code = FAULTS.format(keep=keep)
    return int(subprocess.run([sys.executable, "-c", code], check=True, capture_output=True).stdout)


@pytest.mark.slow
def test_steps_do_not_ask_for_their_memory_again():
    plain, kept = page_faults(keep=False), page_faults(keep=True)
    assert plain > 30 * 2**26 / resource.getpagesize()  # at least one tensor a step
    assert kept < plain / 4  # only until the heap has found its size
