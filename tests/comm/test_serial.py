import pytest
from torch import nn

from baryon.errors import BaryonError
from baryon.interfaces import DataShard
from baryon.launch.environment import ClusterEnvironment
from baryon_comm import serial
from baryon_comm.serial import Serial


class Counting:
    """An update that only notes its steps."""

    def __init__(self, parameters):
        self.parameters, self.applied = list(parameters), []

    def apply(self, step):
        self.applied.append(step)

    def state_dict(self):
        return {"parameters": [{"applied": len(self.applied)} for _ in self.parameters]}

    def load_state_dict(self, state):
        self.loaded = state["parameters"]


def test_one_worker_owns_all_the_data():
    comm = Serial()
    assert (comm.shard, comm.is_leader, comm.is_server) == (DataShard(0, 1, 0, 1), True, False)


def test_a_step_is_the_updates_own():
    comm, model = Serial(), nn.Linear(2, 3)
    made = []
    comm.start(model, lambda parameters: made.append(Counting(parameters)) or made[-1])
    for step in (4, 5):
        comm.begin(step, 8, 8, stop=False)
        assert comm.step() is False
    (update,) = made
    assert update.applied == [4, 5]
    assert [(name, tuple(p.shape)) for name, p in update.parameters] == [
        ("weight", (3, 2)),
        ("bias", (3,)),
    ]
    state = comm.state_dict()
    assert state == {"optimizer": {"weight": {"applied": 2}, "bias": {"applied": 2}}}
    comm.load_state_dict({"optimizer": {"bias": {"applied": 7}, "weight": {"applied": 6}}})
    assert update.loaded == [{"applied": 6}, {"applied": 7}]


def test_who_asks_to_stop_stops():
    comm = Serial()
    comm.start(nn.Linear(2, 3), Counting)
    comm.begin(0, 8, 8, stop=True)
    assert comm.step() is True


def test_agreement_with_oneself():
    comm = Serial()
    assert comm.all_reduce_sum({"loss": 1.5, "stop": 0.0}) == {"loss": 1.5, "stop": 0.0}
    assert comm.gather("state") == comm.all_gather_object("state") == ["state"]


def test_several_processes_are_not_one(monkeypatch):
    monkeypatch.setattr(serial, "cluster_environment", lambda: ClusterEnvironment(1, 4, "srun"))
    with pytest.raises(BaryonError, match=r"srun started 4.*choose comm=sync"):
        Serial()
