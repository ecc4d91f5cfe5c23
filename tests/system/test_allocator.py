import resource
import subprocess
import sys

import pytest

FAULTS = """
import resource, torch
from baryon.system.allocator import keep_freed_memory

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(30):
        (torch.ones(2**24) + 1).sum()
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

print(faults())
keep_freed_memory()
print(faults())
"""


@pytest.mark.slow
def test_steps_do_not_ask_for_their_memory_again():
    done = subprocess.run([sys.executable, "-c", FAULTS], check=True, capture_output=True)
    plain, kept = map(int, done.stdout.split())
    assert plain > 30 * 2**26 / resource.getpagesize()  # at least one tensor a step
    assert kept < plain / 4  # only until the heap has found its size
