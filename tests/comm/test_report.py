"""The workers' part of a run's summary."""

from baryon.interfaces import CommunicatorSummary
from baryon_comm.report import worker_summary

NONE = CommunicatorSummary()


def worker(number: int, computing: float, faults=None):
    name = f"rank {number} (worker, on node{number})"
    times = {"steps": 9, "computing_ms": computing, "exposed_ms": 2.0}
    return {"who": name, "faults": faults or {}, **times}


def test_a_straggler_is_named():
    found = worker_summary([worker(n, 100.0 + n) for n in range(3)] + [worker(3, 230.0)], {}, NONE)
    assert found.warnings == [
        "rank 3 (worker, on node3) is a straggler: 230 ms a step, the median of the others is "
        "101 ms"
    ]
    assert found.metrics["exposed_communication_ms"] == 2.0


def test_one_of_two_can_be_the_straggler():
    found = worker_summary([worker(0, 200.0), worker(1, 100.0)], {}, NONE)
    assert [line.split(" is ")[0] for line in found.warnings] == ["rank 0 (worker, on node0)"]
    assert not worker_summary([worker(0, 100.0)], {}, NONE).warnings


def test_the_dead_are_named_with_the_step():
    faults = {2: {"who": "rank 2 (worker, on node2)", "step": 17}}
    dead = {2: "rank 2 (worker, on node2)", 5: "rank 5 (parameter server, on node5)"}
    later = {2: {"who": "rank 2 (worker, on node2)", "step": 20}}  # another group, at a meeting
    found = worker_summary([worker(0, 10.0, faults), worker(1, 10.0, later)], dead, NONE)
    assert list(found.tables["faults"].rows) == [(dead[2], 17), (dead[5], "-")]
    assert "rank 2 (worker, on node2) died in step 17" in found.warnings
