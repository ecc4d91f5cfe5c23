"""One rank of a host says the error of its job; the others wait until it has ended."""

import os
import subprocess
import sys

import pytest

RANK = """
import sys
from baryon.launch.failure import claim_error_line
speaks = claim_error_line()
print("speaks" if speaks else "silent", flush=True)
if speaks:
    sys.stdin.read()
"""


@pytest.fixture
def start():
    """Start processes that are ranks of a job and have an error to say."""
    processes: list[subprocess.Popen[str]] = []

    def run(ranks: int, job: str) -> list[subprocess.Popen[str]]:
        launched = {"OMPI_COMM_WORLD_SIZE": "8", "PMIX_NAMESPACE": job}
        ours = [
            subprocess.Popen(
                [sys.executable, "-c", RANK],
                env=os.environ | launched | {"OMPI_COMM_WORLD_RANK": str(rank)},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            for rank in range(ranks)
        ]
        processes.extend(ours)
        return ours

    yield run
    for process in processes:
        process.kill()
        with process:  # closes its pipes
            process.wait()


def spoken(ranks, wait: float):
    """Whether each rank speaks; None for one that still waits."""
    lines = []
    for rank in ranks:
        try:
            rank.wait(wait)
        except subprocess.TimeoutExpired:
            lines.append(None)
        else:
            lines.append(rank.stdout.read().strip())
    return lines


def test_of_all_ranks_one_speaks_and_the_others_end_after_it(start, tmp_path):
    ranks = start(6, str(tmp_path))
    assert spoken(ranks, 0.1) == [None] * 6
    for rank in ranks:
        rank.stdin.close()
    lines = spoken(ranks, 20)
    assert sorted(lines) == ["silent"] * 5 + ["speaks"]


def test_no_rank_waits_for_one_that_was_killed(start, tmp_path):
    speaker, *_ = start(1, str(tmp_path))
    assert speaker.stdout.readline() == "speaks\n"
    ranks = start(2, str(tmp_path))
    assert spoken(ranks, 0.1) == [None] * 2
    speaker.kill()
    for rank in ranks:
        rank.stdin.close()  # one that asks only now speaks in its place
    assert None not in spoken(ranks, 30)


def test_ranks_of_another_job_speak_for_themselves(start, tmp_path):
    (first,) = start(1, f"{tmp_path}-1")
    (second,) = start(1, f"{tmp_path}-2")
    assert first.stdout.readline() == second.stdout.readline() == "speaks\n"
