"""A step on a CUDA GPU: the engine's `auto` against compiled bf16 channels-last, and eager float32.

    python benchmarks/step_gpu.py [--batch 256] [--steps 50]

`hep_cnn` at 224 with Adam, batch in the device's memory; in the engine with PyTorch's kernels, like
the alternatives, and with the model's own (`model.kernels`). Without a CUDA device it says so.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from typing import Any

import torch
from omegaconf import OmegaConf
from torch.nn.functional import cross_entropy

from baryon.interfaces import Field, Share
from baryon.plugins import host_conf
from baryon.schemas import Train
from baryon.training.execution.choose import Tries, choose
from baryon.training.execution.execution import Execution
from baryon.training.gradients.gradient import Gradient
from baryon.training.meters.stopwatch import Stopwatch, clock_of
from baryon.training.network import Network
from baryon.training.optimizers import Updates
from baryon_hep.model.hep_cnn import hep_cnn

GOALS = {"plain": 1.0, "fused": 2.0}
"""`model.kernels` -> times the rate of compiled bf16 channels-last."""
LONG = 10**6  # steps of a run in which compiling pays
SIZE = 224


class Alone:
    """One process."""

    leads = True
    share = Share()

    def broadcast(self, value: Any) -> Any:
        """The value itself."""
        return value


def images_per_second(step: Callable[[], None], batch: int, steps: int) -> float:
    """After a warm-up of ten steps, in which compiling happens."""
    for _ in range(10):
        step()
    torch.cuda.synchronize()
    started = time.perf_counter()
    for _ in range(steps):
        step()
    torch.cuda.synchronize()
    return batch * steps / (time.perf_counter() - started)


def bare(model: torch.nn.Module, here: dict[str, torch.Tensor], *, fast: bool) -> Any:
    """The loop that every tutorial shows; `fast`: with what PyTorch's guide to tuning advises."""
    model = model.cuda()
    images = here["inputs"]
    if fast:
        model = model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        images = images.contiguous(memory_format=torch.channels_last)
    call = torch.compile(model, mode="max-autotune") if fast else model
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-4, fused=fast)

    def step() -> None:
        optimizer.zero_grad()
        with torch.autocast("cuda", torch.bfloat16, enabled=fast):
            output = call(images)
        cross_entropy(output.float(), here["label"]).backward()
        optimizer.step()

    return step


def engine(network: Network, here: dict[str, torch.Tensor], updates: Updates) -> Any:
    """The engine's step: gradient with its check and its meters, update."""
    stopwatch = Stopwatch(clock_of(network.device))
    gradient = Gradient(network, entropy, stopwatch, skips=False)
    update = updates(network.model.parameters())

    def step() -> None:
        gradient.compute(here, lambda: None)
        update.apply(0)
        stopwatch.step_ended(len(here["keys"]))

    return step


def entropy(output: torch.Tensor, batch: Any) -> dict[str, torch.Tensor]:
    """The loss."""
    return {"entropy": cross_entropy(output, batch["label"])}


def network(kernels: str) -> torch.nn.Module:
    """The paper's, the same weights each time."""
    torch.manual_seed(1)
    fields = {"inputs": Field((3, SIZE, SIZE), "float32")}
    return hep_cnn(filters=128, dropout=0.0, leakiness=0.0, kernels=kernels, fields=fields)  # type: ignore[arg-type]


def by_auto(kernels: str, train: Train, here: dict[str, torch.Tensor], steps: int) -> float:
    """Images a second of the engine, computed in the way that it chooses."""
    learner, updates = Network(network(kernels), train), Updates(train, LONG, LONG)
    tries = Tries(learner, entropy, updates, [here], None, seed=1)
    key = {"benchmark": len(here["keys"]), "kernels": kernels}
    chosen = choose(train, Alone(), tries, LONG, key)  # type: ignore[arg-type]
    why = chosen.pop("why")
    learner.use(Execution(**chosen))
    learner.model.train()
    print(f"auto, {kernels} kernels: {learner.execution} ({why})")
    return images_per_second(engine(learner, here, updates), len(here["keys"]), steps)


def main() -> None:
    """Measure all one after the other; a line of JSON for each kind of kernels."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--steps", type=int, default=50)
    options = parser.parse_args()
    rows: dict[str, dict[str, Any]] = {
        kernels: {
            "name": f"step of hep_cnn at {SIZE} on a GPU, batch {options.batch}, {kernels} kernels",
            "value": "no CUDA device",
            "unit": "",
            "alternative": "",
            "ratio": "",
            "goal": goal,
        }
        for kernels, goal in GOALS.items()
    }
    if torch.cuda.is_available():
        measure(rows, options.batch, options.steps)
    for row in rows.values():
        print(json.dumps(row))


def measure(rows: dict[str, dict[str, Any]], batch: int, steps: int) -> None:
    """Fill in the rows."""
    values: Any = OmegaConf.to_container(OmegaConf.load(host_conf() / "train" / "default.yaml"))
    train = Train(**{**values, "precision": "auto", "device": "cuda", "learning_rate": 1e-4})
    here = {
        "inputs": torch.rand(batch, 3, SIZE, SIZE).cuda(),
        "label": torch.arange(batch).cuda() % 2,
        "keys": torch.arange(batch),
    }
    plain = images_per_second(bare(network("plain"), here, fast=False), batch, 20)
    tuned = images_per_second(bare(network("plain"), here, fast=True), batch, steps)
    for kernels, row in rows.items():
        value = by_auto(kernels, train, here, steps)
        alternative = f"compiled bf16 channels-last, {tuned:.0f}; eager float32, {plain:.0f}"
        row |= {"value": round(value), "unit": "images/s"}
        row |= {"alternative": alternative, "ratio": round(value / tuned, 3)}


if __name__ == "__main__":
    main()
