"""Runs on every rank under mpiexec: trains the toy in several ways, one after the other.

python on_ranks.py <folder> <json of: name -> what is told: see `learn` and `make`>

`deaths`: rank -> the step in which a worker kills itself, or after which a server does.

Each way leaves its weights and what it measured in <folder>/<name>.
"""

import json
import os
import signal
import sys
import threading
import time
from pathlib import Path

import torch

from baryon.config.option_values import option_values
from baryon.launch.environment import cluster_environment
from baryon.plugins.components import Choice, prepare
from baryon.plugins.registry import discover
from baryon.testing.toy_training import STEPS, Toy, one_step, train
from baryon.training.model_runner import choose_device
from baryon.training.optimizers import ScheduledOptimizerFactory
from baryon_comm.gradients import bucket as buckets
from baryon_comm.gradients.bucket import GROUP, STEP
from baryon_comm.server.server import Server

torch.set_num_threads(1)
PLUGINS = discover()
SECONDS_TO_DIE, SECONDS_TO_SLEEP = 0.2, 4.0
bucket_device = buckets.bucket_device


def make(told):
    name = told["comm"]
    values = option_values(f"comm={name}", "comm", name, PLUGINS) | told.get("options", {})
    return prepare(PLUGINS, Choice("comm", values.pop("name", name), values))()


def serve(comm, last: int | None) -> None:
    """Until the end, or until `last` of group 0 is answered."""
    apply = Server._apply_and_reply

    def apply_and_die(server, layer, bucket, source) -> None:
        apply(server, layer, bucket, source)
        if bucket.header[GROUP] == 0 and bucket.header[STEP] == last:
            threading.Timer(SECONDS_TO_DIE, os.kill, (os.getpid(), signal.SIGKILL)).start()

    Server._apply_and_reply = apply_and_die
    comm.serve()


def learn(comm, told, folder: Path) -> None:
    buckets.bucket_device = (lambda device: device) if told.get("apart") else bucket_device
    toy = Toy(device=choose_device(told.get("device", "cpu")))
    comm.start(toy.model, ScheduledOptimizerFactory(train(**told.get("train", {})), STEPS, STEPS))
    for step in range(STEPS):
        if DEATHS.get(str(cluster_environment().rank)) == step:
            os.kill(os.getpid(), signal.SIGKILL)
        if step - 1 in DEATHS.values():
            time.sleep(3 * SECONDS_TO_DIE)
        if step == 5 and told.get("slow") == comm.shard.rank:
            time.sleep(SECONDS_TO_SLEEP)
        one_step(toy, comm, step)
        if step == 5 and told.get("spoil") == comm.shard.rank:
            toy.model[0].weight.data[0, 0] += 1e-6
    worker = comm.shard.group * comm.shard.group_size + comm.shard.rank
    measures = comm.metrics()
    torch.save({"weights": toy.weights(), "measures": measures}, folder / f"{worker}.pt")
    findings = comm.summary()
    if comm.is_leader:
        found = {**findings.metrics, "warnings": findings.warnings}
        (folder / "findings.json").write_text(json.dumps(found))


for way, told in json.loads(sys.argv[2]).items():
    folder = Path(sys.argv[1]) / way
    folder.mkdir(exist_ok=True)
    comm = make(told)
    DEATHS = told.get("deaths", {})
    try:
        comm.all_gather_object(None)
        serve(comm, DEATHS.get(str(cluster_environment().rank))) if comm.is_server else learn(
            comm, told, folder
        )
        comm.close()
    except Exception as error:
        comm.abort(f"error: {error}")
        raise
