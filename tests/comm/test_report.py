"""The workers' part of a run's summary."""

from baryon.interfaces import CommunicatorSummary
from baryon_comm.mpi.layout import Layout
from baryon_comm.report import worker_summary

NONE = CommunicatorSummary()
ALONE = Layout(1, 4, 0)


def worker(number: int, computing: float, faults=None):
    name = f"rank {number} (worker, on node{number})"
    times = {"steps": 9, "computing_ms": computing, "exposed_ms": 2.0}
    return {"who": name, "faults": faults or {}, "group": number // 2, "staleness": [], **times}


def test_a_straggler_is_named():
    found = worker_summary(
        [worker(n, 100.0 + n) for n in range(3)] + [worker(3, 230.0)], {}, NONE, ALONE
    )
    assert found.warnings == [
        "rank 3 (worker, on node3) is a straggler: 230 ms a step, the median of the others is "
        "101 ms"
    ]
    assert found.metrics["exposed_communication_ms"] == 2.0


def test_one_of_two_can_be_the_straggler():
    found = worker_summary([worker(0, 200.0), worker(1, 100.0)], {}, NONE, ALONE)
    assert [line.split(" is ")[0] for line in found.warnings] == ["rank 0 (worker, on node0)"]
    assert not worker_summary([worker(0, 100.0)], {}, NONE, ALONE).warnings


def test_the_dead_are_named_with_the_step():
    faults = {2: {"who": "rank 2 (worker, on node2)", "step": 17}}
    dead = {2: "rank 2 (worker, on node2)", 5: "rank 5 (parameter server, on node5)"}
    later = {2: {"who": "rank 2 (worker, on node2)", "step": 20}}  # another group, at a meeting
    found = worker_summary([worker(0, 10.0, faults), worker(1, 10.0, later)], dead, NONE, ALONE)
    assert list(found.tables["faults"].rows) == [(dead[2], 17), (dead[5], "-")]
    assert "rank 2 (worker, on node2) died in step 17" in found.warnings


def test_a_run_with_servers_gets_a_picture_of_its_ranks(faults_of_figure):
    layout = Layout(2, 2, 1)
    workers = [worker(n, 10.0) | {"staleness": [(5, 1.0), (9, 1.5)]} for n in range(3)]
    faults = {3: {"who": "rank 3", "step": 6}}
    summary = worker_summary([w | {"faults": faults} for w in workers], {3: "rank 3"}, NONE, layout)
    figure = summary.figures["topology"]
    assert faults_of_figure(figure) == []
    ranks, timeline = figure.axes
    assert "2 groups of 2 workers, 1 parameter server" in ranks.get_title(loc="left")
    drawn = {text.get_text() for text in ranks.texts}
    assert {"0", "1", "2", "4", "group 0", "group 1"} <= drawn
    assert "3" not in drawn  # a cross is there instead
    keys = [text.get_text() for text in timeline.get_legend().get_texts()]
    assert keys == ["group 0", "group 1", "rank 3 (worker) died, step 6"]
    assert "topology" not in worker_summary(workers, {}, NONE, ALONE).figures
