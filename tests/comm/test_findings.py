"""What workers have to say of a run."""

from baryon.interfaces import Findings
from baryon_comm.findings import worker_findings
from baryon_comm.strategy.server_findings import server_findings


def worker(number: int, computing: float, faults=None):
    name = f"rank {number} (worker, on node{number})"
    times = {"steps": 9, "computing_ms": computing, "exposed_ms": 2.0}
    return {"who": name, "faults": faults or {}, **times}


def test_a_straggler_is_named():
    found = worker_findings([worker(n, 100.0 + n) for n in range(3)] + [worker(3, 230.0)], {}, NONE)
    assert found.warnings == [
        "rank 3 (worker, on node3) is a straggler: 230 ms a step, the median of the others is "
        "101 ms"
    ]
    assert found.metrics["exposed_communication_ms"] == 2.0


def test_one_of_two_can_be_the_straggler():
    found = worker_findings([worker(0, 200.0), worker(1, 100.0)], {}, NONE)
    assert [line.split(" is ")[0] for line in found.warnings] == ["rank 0 (worker, on node0)"]
    assert not worker_findings([worker(0, 100.0)], {}, NONE).warnings


def test_the_dead_are_named_with_the_step():
    faults = {2: {"who": "rank 2 (worker, on node2)", "step": 17}}
    dead = {2: "rank 2 (worker, on node2)", 5: "rank 5 (parameter server, on node5)"}
    later = {2: {"who": "rank 2 (worker, on node2)", "step": 20}}  # another group, at a meeting
    found = worker_findings([worker(0, 10.0, faults), worker(1, 10.0, later)], dead, NONE)
    assert list(found.tables["faults"].rows) == [(dead[2], 17), (dead[5], "-")]
    assert "rank 2 (worker, on node2) died in step 17" in found.warnings


NONE = Findings()


def test_staleness_layer_by_layer():
    fc = {"index": 0, "staleness": {0: 1, 1: 3}, "dropped": 0, "momentum": 0.5, "bytes": 2**20}
    conv = {"index": 1, "staleness": {2: 4}, "dropped": 2, "momentum": None, "bytes": 2**19}
    work = {"updates": 8, "bytes": 2**21, "seconds": 0.5}
    answers = {4: {**work, "layers": {"conv": conv}}, 3: {**work, "layers": {"fc": fc}}}
    found = server_findings(answers, ["a", "a", "a", "b", "c"])
    assert found.metrics == {
        "staleness": (3 + 8) / 8, "dropped_gradients": 2.0, "effective_momentum": 0.5,
    }  # fmt: skip
    first, second = found.tables["layers"].rows
    assert first == ("fc", 3, 1.0, 4, 0.75, "0: 25%  1: 75%", 0.5)
    assert second[:2] == ("conv", 4)
    assert found.figures["staleness"].axes[0].get_yticklabels()[0].get_text() == "fc"
