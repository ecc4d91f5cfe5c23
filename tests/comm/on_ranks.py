"""Runs on every rank under mpiexec: trains the toy in several ways, one after the other.

python on_ranks.py <folder> <json of: name -> comm, options, train, spoil, device, apart>

Each way leaves its weights and what it measured in <folder>/<name>.
"""

import json
import sys
from pathlib import Path

import torch

from baryon.components import prepare
from baryon.config import Choice, option_values
from baryon.conformance import STEPS, Toy, one_step, train
from baryon.plugins import discover
from baryon.training.network import choose_device
from baryon.training.optimizers import Updates
from baryon_comm.layers import layer

torch.set_num_threads(1)
PLUGINS = discover()
place_of = layer.place_of


def make(told):
    name = told["comm"]
    values = option_values(f"comm={name}", "comm", name, PLUGINS) | told.get("options", {})
    return prepare(PLUGINS, Choice("comm", values.pop("name", name), values))()


def learn(comm, told, folder: Path) -> None:
    layer.place_of = (lambda device: device) if told.get("apart") else place_of
    toy = Toy(device=choose_device(told.get("device", "cpu")))
    comm.start(toy.model, Updates(train(**told.get("train", {})), STEPS, STEPS))
    for step in range(STEPS):
        one_step(toy, comm, step)
        if step == 5 and told.get("spoil") == comm.share.member:
            toy.model[0].weight.data[0, 0] += 1e-6
    worker = comm.share.group * comm.share.members + comm.share.member
    measures = comm.measures()
    torch.save({"weights": toy.weights(), "measures": measures}, folder / f"{worker}.pt")
    findings = comm.findings()
    if comm.leads:
        (folder / "findings.json").write_text(json.dumps(dict(findings.metrics)))


for way, told in json.loads(sys.argv[2]).items():
    folder = Path(sys.argv[1]) / way
    folder.mkdir(exist_ok=True)
    comm = make(told)
    try:
        comm.exchange(None)
        comm.serve() if comm.is_server else learn(comm, told, folder)
        comm.close()
    except Exception as error:
        comm.abort(f"error: {error}")
        raise
