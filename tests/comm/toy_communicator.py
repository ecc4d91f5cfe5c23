"""A stranger's communicator: blocking sums by plain mpi4py, as simple as the contract allows.

`fault` makes it break one promise; the conformance kit must find out.
"""

import numpy as np

from baryon.interfaces import CommunicatorSummary, DataShard


class Toy:
    """Every worker sums gradients with all others after backward."""

    is_server = False

    def __init__(self, *, fault: str) -> None:
        from mpi4py import MPI

        self._fault, self._mpi = fault, MPI
        self._comm = MPI.COMM_WORLD.Dup()
        self.shard = DataShard(0, 1, self._comm.rank, self._comm.size)
        self.is_leader = self._comm.rank == 0

    def all_gather_object(self, value):
        return self._comm.allgather(value)

    def start(self, model, make_optimizer):
        self._model, self._optimizer = model, make_optimizer(model.named_parameters())
        if self._fault != "start":
            model.load_state_dict(self.broadcast(model.state_dict()))

    def begin(self, step, samples, batch_size, *, stop):
        self._now, self._samples, self._stop = step, samples, stop

    def step(self):
        total = self._comm.allreduce(self._samples)
        for parameter in self._model.parameters():
            own = parameter.new_zeros(parameter.shape) if parameter.grad is None else parameter.grad
            own *= self._samples / total
            if self._fault != "gradients":
                self._comm.Allreduce(self._mpi.IN_PLACE, own.numpy())
            parameter.grad = own
        self._optimizer.apply(self._now)
        stopping = self._comm.allreduce(float(self._stop)) > 0
        return self._stop if self._fault == "stop" else stopping

    def synchronize(self): ...

    def serve(self): ...

    def all_reduce_sum(self, values, *, in_group=False):
        everyone = self._comm.allgather(dict(values))
        return {name: sum(one[name] for one in everyone) for name in values}

    def gather(self, value):
        return self._comm.gather(value) or []

    def broadcast(self, value):
        return self._comm.bcast(value)

    def metrics(self):
        return {"waiting": [1.0] if self._fault == "metrics" else np.float32(1)}

    def summary(self):
        return CommunicatorSummary()

    def state_dict(self):
        names = [name for name, _ in self._model.named_parameters()]
        states = self._optimizer.state_dict()["parameters"]
        return {
            "optimizer": {} if self._fault == "state" else dict(zip(names, states, strict=True)),
            "mine": self.shard if self._fault == "object" else None,
        }

    def load_state_dict(self, state):
        names = [name for name, _ in self._model.named_parameters()]
        self._optimizer.load_state_dict(
            {"parameters": [state["optimizer"][name] for name in names]}
        )

    def abort(self, message):
        self._comm.Abort(1)

    def close(self):
        self._comm.Barrier()
