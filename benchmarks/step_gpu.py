"""Compare the engine's `auto` on a CUDA GPU with compiled bf16 channels-last and eager float32.

    python benchmarks/step_gpu.py [--network climate_15pf] [--batch 8] [--steps 50]

`hep_cnn` at 224, batch 256, with PyTorch's kernels, like the alternatives, and with its own
(`model.kernels=fused`); `climate_15pf` at 768, batch 8; with Adam, batch in the device's memory.
Without a CUDA device it says so.
"""

from __future__ import annotations

import argparse
import copy
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal

import torch
from omegaconf import OmegaConf
from torch.nn.functional import cross_entropy

from baryon.config.option_values import option_values
from baryon.config.schemas import Train
from baryon.interfaces import DataShard, Field, Loss
from baryon.plugins.registry import discover, host_conf
from baryon.training.autotune.execution_mode import FP32, ExecutionMode, set_precision
from baryon.training.autotune.search import TrialRunner, autotune
from baryon.training.backward import Gradient
from baryon.training.metrics.stopwatch import Stopwatch, clock_of
from baryon.training.model_runner import ModelRunner, each_tensor
from baryon.training.optimizers import ScheduledOptimizerFactory
from baryon_climate.loss.climate_semi_supervised import ClimateSemiSupervised
from baryon_climate.model.climate_15pf import climate_15pf
from baryon_hep.model.hep_cnn import hep_cnn

LONG = 10**6  # steps of a run in which compiling pays


class Alone:
    """One process."""

    is_leader = True
    shard = DataShard()

    def broadcast(self, value: Any) -> Any:
        """Return the value itself."""
        return value


def images_per_second(step: Callable[[], None], batch: int, steps: int) -> float:
    """Return the images a second after a warm-up of ten steps, in which compiling happens."""
    for _ in range(10):
        step()
    torch.cuda.synchronize()
    started = time.perf_counter()
    for _ in range(steps):
        step()
    torch.cuda.synchronize()
    return batch * steps / (time.perf_counter() - started)


@dataclass(frozen=True)
class Task:
    """A network, its loss and a batch of random samples."""

    model: torch.nn.Module
    plain: torch.nn.Module
    """The same network with PyTorch's kernels: what the alternatives compute."""
    loss: Loss
    batch: dict[str, torch.Tensor]


def hep(batch: int, kernels: Literal["fused", "plain"] = "plain") -> Task:
    """Return the paper's classifier of collisions."""
    fields = {"inputs": Field((3, 224, 224), "float32")}
    options = {
        "filters": 128,
        "dropout": 0.0,
        "leakiness": 0.0,
        "padding": "zeros",
        "fields": fields,
    }
    plain = hep_cnn(kernels="plain", **options)  # type: ignore[arg-type]
    model = plain if kernels == "plain" else hep_cnn(kernels=kernels, **options)  # type: ignore[arg-type]
    samples = {"inputs": torch.rand(batch, 3, 224, 224), "label": torch.arange(batch) % 2}
    return Task(model, plain, entropy, samples)


def climate(batch: int) -> Task:
    """Return the paper's detector of storms, with one box a frame."""
    fields = {"inputs": Field((16, 768, 768), "float32")}
    model = climate_15pf(**shipped("model", "climate_15pf"), fields=fields)
    boxes = torch.full((batch, 15, 5), -1.0)
    boxes[:, 0] = torch.tensor([100.0, 200.0, 160.0, 280.0, 1.0])
    samples = {
        "inputs": torch.rand(batch, 16, 768, 768) * 2 - 1,
        "boxes": boxes,
        "labelled": torch.ones(batch, dtype=torch.uint8),
    }
    loss = ClimateSemiSupervised(**shipped("loss", "climate_semi_supervised"))
    return Task(model, model, loss, samples)


def shipped(kind: str, name: str) -> dict[str, Any]:
    """Return an option's own values."""
    values = option_values("benchmark", kind, name, discover())
    return {key: value for key, value in values.items() if key != "name"}


TASKS: Mapping[str, tuple[Callable[[int], Task], int, float]] = {
    "hep_cnn": (hep, 256, 1.0),
    "hep_cnn, fused": (partial(hep, kernels="fused"), 256, 2.0),
    "climate_15pf": (climate, 8, 1.0),
}
"""With each one's batch (8 climate frames a node in the paper, as remembered) and goal."""


def bare(task: Task, *, fast: bool) -> Callable[[], None]:
    """Return the step of the loop that every tutorial shows.

    With `fast` it does what PyTorch's guide to tuning advises.
    """
    model = copy.deepcopy(task.plain).cuda()
    images = task.batch["inputs"]
    if fast:
        model = model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        images = images.contiguous(memory_format=torch.channels_last)
    call = torch.compile(model, mode="max-autotune") if fast else model
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-4, fused=fast)

    def step() -> None:
        optimizer.zero_grad()
        with torch.autocast("cuda", torch.bfloat16, enabled=fast):
            output = call(images)
        output = each_tensor(output, lambda tensor: tensor.float())
        torch.stack(list(task.loss(output, task.batch).values())).sum().backward()  # type: ignore[no-untyped-call]
        optimizer.step()

    return step


def engine(
    runner: ModelRunner, task: Task, updates: ScheduledOptimizerFactory
) -> Callable[[], None]:
    """Return the engine's step: gradient with its check and its meters, update."""
    stopwatch = Stopwatch(clock_of(runner.device))
    gradient = Gradient(runner, task.loss, stopwatch, skips=False)
    update = updates(runner.model.named_parameters())

    def step() -> None:
        gradient.compute(task.batch)
        update.apply(0)
        stopwatch.step_ended(len(task.batch["keys"]))

    return step


def entropy(output: torch.Tensor, batch: Any) -> dict[str, torch.Tensor]:
    """Return the classifier's loss."""
    return {"entropy": cross_entropy(output, batch["label"])}


def measure(name: str, batch: int, steps: int) -> dict[str, Any]:
    """Measure the three one after the other; return a row for `run_all.py`."""
    make, _, goal = TASKS[name]
    row: dict[str, Any] = {"unit": "images/s", "goal": goal}
    row["name"] = f"step of {name} on a GPU, batch {batch}, auto"
    if not torch.cuda.is_available():
        return row | {"value": "no CUDA device", "unit": "", "alternative": "", "ratio": ""}
    values: Any = OmegaConf.to_container(OmegaConf.load(host_conf() / "train" / "default.yaml"))
    train = Train(**{**values, "precision": "auto", "device": "cuda", "learning_rate": 1e-4})
    torch.manual_seed(1)
    task = make(batch)
    on_device = {key: tensor.cuda() for key, tensor in task.batch.items()}
    task = replace(task, batch={**on_device, "keys": torch.arange(batch)})
    set_precision(ExecutionMode(FP32), torch.device("cuda"))  # PyTorch's default convolves in TF32
    plain = images_per_second(bare(task, fast=False), batch, min(steps, 20))
    tuned = images_per_second(bare(task, fast=True), batch, steps)
    torch.compiler.reset()  # gives its graphs' memory back
    torch.cuda.empty_cache()
    runner, updates = ModelRunner(task.model, train), ScheduledOptimizerFactory(train, LONG, LONG)
    trials = TrialRunner(runner, task.loss, updates, [task.batch], None, seed=1)
    chosen = autotune(train, Alone(), trials, LONG, {"benchmark": [name, batch]})  # type: ignore[arg-type]
    print(f"auto: {chosen['why']}")
    runner.use(
        ExecutionMode(**{key: chosen[key] for key in ("precision", "mode", "channels_last")})
    )
    runner.model.train()
    value = images_per_second(engine(runner, task, updates), batch, steps)
    row["alternative"] = f"compiled bf16 channels-last, {tuned:.1f}; eager float32, {plain:.1f}"
    return row | {"value": round(value, 1), "ratio": round(value / tuned, 3)}


def main() -> None:
    """Print a line for each network."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--network", choices=list(TASKS), default=None)
    parser.add_argument("--batch", type=int, default=None)
    parser.add_argument("--steps", type=int, default=50)
    options = parser.parse_args()
    for name in [options.network] if options.network else TASKS:
        print(json.dumps(measure(name, options.batch or TASKS[name][1], options.steps)))


if __name__ == "__main__":
    main()
