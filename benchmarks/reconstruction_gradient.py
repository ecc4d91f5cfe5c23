"""Compare the reconstruction's gradient in the encoder with that of the boxes.

    python benchmarks/reconstruction_gradient.py [--folder DIR] [--steps 240]

The network of `semi_supervised.py` on 120 frames, a tenth with labels, weight 10.
Every 80 steps, on a batch of 3 labelled and 27 other frames: the norm of the encoder's gradient of
all box terms and of the reconstruction, the cosine of the angle between them, and the norm that the
27 frames without labels make alone.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

import numpy as np
import torch
from detectors.comparison import DATA, baryon
from semi_supervised import ARMS

from baryon.config.compose import composed
from baryon.plugins.registry import discover
from baryon.training.build import TRAIN, RunComponents, build_communicator, build_components

LABELLED, OTHERS, BATCH, EVERY = 3, 27, 8, 80
Batch = Mapping[str, torch.Tensor]


def build(folder: Path) -> RunComponents:
    """Build the arm that rebuilds inputs, on two years, which are generated if need be."""
    if not (folder / "generation.json").is_file():
        baryon("data", "generate", "dataset=climate_extreme_weather", f"generate.out={folder}",
               "generate.years=1979-1980", "generate.frames=60", "generate.height=96")  # fmt: skip
    settings = [text for text in DATA if not text.startswith(("dataset.train", "dataset.test"))]
    choices = [*settings, *ARMS["inputs"], "dataset.train=1979-1980"]
    config = composed([*choices, f"dataset.folder={folder}", "train.device=cpu"], discover())
    return build_components(config, discover(), build_communicator(config, discover()))


def select(batch: Batch, rows: np.ndarray) -> Batch:
    """Return some samples of a batch."""
    return {name: values[rows] for name, values in batch.items()}


def gradients(components: RunComponents, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the encoder's gradient of all box terms and of the reconstruction, each flat."""
    model = components.runner.model
    terms = dict(components.loss(model(batch["inputs"]), batch))
    reconstruction = terms.pop("reconstruction")
    weights = [p for name, p in model.named_parameters() if name.startswith("encoder")]

    def flat_gradient(loss: torch.Tensor) -> torch.Tensor:
        by_weight = torch.autograd.grad(loss, weights, retain_graph=True)
        return torch.cat([gradient.flatten() for gradient in by_weight])

    return flat_gradient(torch.stack(list(terms.values())).sum()), flat_gradient(reconstruction)


def train(components: RunComponents, steps: int) -> tuple[float, float, float]:
    """Train and print a row every `EVERY` steps; return the last norms and their cosine."""
    split = components.dataset.splits[TRAIN]
    arrays = split.read(0, len(split)).items()
    samples = {name: torch.from_numpy(np.ascontiguousarray(values)) for name, values in arrays}
    labelled = samples["labelled"].bool().numpy()
    rows = [*np.flatnonzero(labelled)[:LABELLED], *np.flatnonzero(~labelled)[:OTHERS]]
    probe = select(samples, np.array(rows))
    unlabelled = select(probe, np.arange(LABELLED, len(rows)))
    adam = torch.optim.Adam(components.runner.model.parameters(), lr=1e-3)
    random = np.random.default_rng(1)
    for step in range(steps + 1):
        if step % EVERY == 0:
            boxes, reconstruction = gradients(components, probe)
            _, alone = gradients(components, unlabelled)
            cosine = float(torch.cosine_similarity(boxes, reconstruction, dim=0))
            print(f"| {step} | {boxes.norm():.3g} | {reconstruction.norm():.3g} | {cosine:.2f} |"
                  f" {alone.norm():.3g} |", flush=True)  # fmt: skip
        batch = select(samples, random.integers(0, len(split), BATCH))
        terms = components.loss(components.runner.model(batch["inputs"]), batch)
        adam.zero_grad()
        torch.stack(list(terms.values())).sum().backward()  # type: ignore[no-untyped-call]
        adam.step()
    return float(boxes.norm()), float(reconstruction.norm()), cosine


def main() -> None:
    """Print a table and one line of JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--folder", type=Path, default=None)
    parser.add_argument("--steps", type=int, default=240)
    options = parser.parse_args()
    print("| step | boxes | reconstruction | cosine | of frames without labels |")
    print("|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary) / "frames"
        with closing(build(folder)) as components:
            boxes, reconstruction, cosine = train(components, options.steps)
    figures = {
        "name": "encoder's gradient of the reconstruction against that of the boxes",
        "value": round(reconstruction, 3),
        "unit": f"norm after {options.steps} steps, cosine {cosine:.2f}",
        "alternative": f"boxes, {boxes:.3g}",
        "ratio": round(reconstruction / boxes, 3),
        "goal": "-",
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
