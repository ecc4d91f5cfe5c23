"""Runs on every rank under mpiexec: trains runs of toys one after the other, without evaluation.

python runs_on_ranks.py <folder> <json of: name of a run -> what is told: see `run`>

Each run leaves in <folder>/<name>/worker-<n>.pt what each worker came to.
"""

import json
import sys
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parents[1] / "toys"))

from toy_run import config, plugins, trainer, weights

from baryon.config.option_values import option_values
from baryon.config.schemas import ParameterGroup
from baryon.plugins.components import Choice, prepare
from baryon_comm.worker import Worker

torch.set_num_threads(1)
exchanges = 0


def make(told):
    """The communicator, with these options beside those of its YAML."""
    name = told["comm"]
    values = option_values(f"comm={name}", "comm", name, plugins()) | told.get("options", {})
    return prepare(plugins(), Choice("comm", values.pop("name", name), values))()


def submit(worker, layer):
    """Count the exchanges of gradients."""
    global exchanges
    exchanges += 1
    submit_of_worker(worker, layer)


submit_of_worker, Worker._submit = Worker._submit, submit


def run(comm, told, folder: Path) -> None:
    """Train with these keys of `train`, and go on from a checkpoint if there is one."""
    global exchanges
    exchanges = 0
    told["train"]["parameter_groups"] = [
        ParameterGroup(**group) for group in told["train"].get("parameter_groups", [])
    ]
    running = trainer(folder, config(**told["train"]), comm)
    first = weights(running)
    running.fit()
    shard = comm.shard
    result = {
        "step": running.state.step,
        "weights": weights(running),
        "first": first,
        "average": dict(running._average.state_dict()),
        "exchanges": exchanges,
        "layers": len(comm._reducer.buckets),
    }
    torch.save(result, folder / f"worker-{shard.group * shard.group_size + shard.rank}.pt")


for name, told in json.loads(sys.argv[2]).items():
    comm = make(told)
    try:
        comm.all_gather_object(None)
        if comm.is_server:
            comm.serve()
        else:
            run(comm, told, Path(sys.argv[1]) / name)
        comm.close()
    except Exception as error:
        comm.abort(f"error: {error}")
        raise
