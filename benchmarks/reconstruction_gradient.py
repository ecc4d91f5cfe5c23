"""How hard and which way the reconstruction pulls at the encoder, against the boxes.

    python benchmarks/reconstruction_gradient.py [--folder DIR] [--steps 240]

The network and the frames of `semi_supervised.py` (fewer of them), a tenth with labels, weight 10.
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
from semi_supervised import ARMS, DATA, NETWORK, run

from baryon.config.config import composed
from baryon.plugins.registry import discover
from baryon.training.build import TRAIN, RunComponents, build_communicator, build_components

LABELLED, OTHERS, BATCH, EVERY = 3, 27, 8, 80
Batch = Mapping[str, torch.Tensor]


def parts_of(folder: Path) -> RunComponents:
    """The semi-supervised arm, on two years."""
    if not (folder / "generation.json").is_file():
        run("data", "generate", "dataset=climate_extreme_weather", f"generate.out={folder}",
            "generate.years=1979-1980", "generate.frames=60", "generate.height=96")  # fmt: skip
    others = [one for one in DATA if not one.startswith(("dataset.train", "dataset.test"))]
    chosen = [*others, *NETWORK, *ARMS["semi, lambda 10"], "dataset.train=1979-1980"]
    config = composed([*chosen, f"dataset.folder={folder}", "train.device=cpu"], discover())
    return build_components(config, discover(), build_communicator(config, discover()))


def part(batch: Batch, rows: np.ndarray) -> Batch:
    """Some samples of it."""
    return {name: values[rows] for name, values in batch.items()}


def gradients(components: RunComponents, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
    """The encoder's of all box terms, and of the reconstruction, in one row each."""
    model = components.runner.model
    terms = dict(components.loss(model(batch["inputs"]), batch))
    rebuilt = terms.pop("reconstruction")
    weights = [p for name, p in model.named_parameters() if name.startswith("encoder")]

    def row(loss: torch.Tensor) -> torch.Tensor:
        found = torch.autograd.grad(loss, weights, retain_graph=True)
        return torch.cat([one.flatten() for one in found])

    return row(torch.stack(list(terms.values())).sum()), row(rebuilt)


def main() -> None:
    """Train, and look now and then."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--folder", type=Path, default=None)
    parser.add_argument("--steps", type=int, default=240)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary) / "frames"
        with closing(parts_of(folder)) as components:
            split = components.dataset.splits[TRAIN]
            read = split.read(0, len(split)).items()
            everything = {name: torch.from_numpy(np.ascontiguousarray(v)) for name, v in read}
            known = everything["labelled"].bool().numpy()
            rows = [*np.flatnonzero(known)[:LABELLED], *np.flatnonzero(~known)[:OTHERS]]
            probe = part(everything, np.array(rows))
            adam = torch.optim.Adam(components.runner.model.parameters(), lr=1e-3)
            random = np.random.default_rng(1)
            print("| step | boxes | reconstruction | cosine | of frames without labels |")
            print("|---|---|---|---|---|")
            for step in range(options.steps + 1):
                if step % EVERY == 0:
                    boxes, rebuilt = gradients(components, probe)
                    _, alone = gradients(components, part(probe, np.arange(LABELLED, len(rows))))
                    cosine = float(torch.cosine_similarity(boxes, rebuilt, dim=0))
                    print(f"| {step} | {boxes.norm():.3g} | {rebuilt.norm():.3g} | {cosine:.2f} |"
                          f" {alone.norm():.3g} |", flush=True)  # fmt: skip
                batch = part(everything, random.integers(0, len(split), BATCH))
                terms = components.loss(components.runner.model(batch["inputs"]), batch)
                adam.zero_grad()
                torch.stack(list(terms.values())).sum().backward()
                adam.step()
    figures = {
        "name": "encoder's gradient of the reconstruction against that of the boxes",
        "value": round(float(rebuilt.norm()), 3),
        "unit": f"norm after {options.steps} steps, cosine {cosine:.2f}",
        "alternative": f"boxes, {boxes.norm():.3g}",
        "ratio": round(float(rebuilt.norm() / boxes.norm()), 3),
        "goal": "-",
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
