import torch
from torch import nn

from baryon_comm.serial import Serial


class Counting:
    """An update that only counts."""

    def __init__(self, parameters):
        self.parameters, self.applied = list(parameters), 0

    def apply(self):
        self.applied += 1

    def state_dict(self):
        return {"applied": self.applied}

    def load_state_dict(self, state):
        self.applied = state["applied"]


def test_one_worker_owns_all_the_data():
    comm = Serial()
    assert (comm.worker, comm.workers, comm.is_server) == (0, 1, False)


def test_a_step_is_the_updates_own():
    comm, model = Serial(), nn.Linear(2, 3)
    made = []
    comm.start(model, lambda parameters: made.append(Counting(parameters)) or made[-1])
    comm.step()
    comm.step()
    (update,) = made
    assert update.applied == 2
    assert [p.shape for p in update.parameters] == [torch.Size([3, 2]), torch.Size([3])]
    assert comm.state_dict() == {"applied": 2}
    comm.load_state_dict({"applied": 7})
    assert update.applied == 7


def test_agreement_with_oneself():
    comm = Serial()
    assert comm.agree({"loss": 1.5, "stop": 0.0}) == {"loss": 1.5, "stop": 0.0}
    assert comm.gather("state") == ["state"]
