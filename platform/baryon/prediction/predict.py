"""Run a model over samples without an answer, and hand what it says to a predictor."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from baryon.data.loader import Loader
from baryon.errors import BaryonError
from baryon.interfaces import Batch, Communicator, Predictor
from baryon.prediction.portions import turns
from baryon.terminal.progress import bar
from baryon.training.model_runner import ModelRunner


def predict(
    runner: ModelRunner, predictor: Predictor, loader: Loader, comm: Communicator, folder: Path
) -> str:
    """Have the leader's predictor write into `folder`; its sentence, an empty text elsewhere.

    Collective. Raises `BaryonError` if a worker died, or the predictor left something unread.
    """
    predictions = _in_order(runner, predictor, loader, comm)
    said = predictor.write(predictions, folder) if comm.is_leader else ""
    for _ in predictions:
        if said:
            raise BaryonError(
                f"{type(predictor).__name__}.write has ended before the predictions did: report it "
                "to the plugin's author"
            )
    return said


def _in_order(
    runner: ModelRunner, predictor: Predictor, loader: Loader, comm: Communicator
) -> Iterator[Any]:
    """On the leader all workers' predictions in the order of the samples, elsewhere none."""
    shard, total = comm.shard, len(loader.split)
    rounds = turns(loader.bounds, loader.part_size(shard), shard)
    batches = loader.each([batch for batches in rounds for batch in batches])
    runner.model.eval()
    seen, fault = 0, ""
    with bar("predicting", total, "samples") as advance:
        for number in rounds:
            made: list[Any] = []
            if not fault:
                made, fault = _round(runner, predictor, batches, len(number))
            for count, theirs, wrong in comm.gather((sum(map(len, number)), made, fault)):
                yield from theirs
                if wrong:
                    raise BaryonError(wrong)
                advance(count)
                seen += count
    if comm.all_reduce_sum({"seen": seen})["seen"] != total:
        raise BaryonError(f"a worker died: {seen} of {total} samples were predicted; start again")


def _round(
    runner: ModelRunner, predictor: Predictor, batches: Iterator[Batch], count: int
) -> tuple[list[Any], str]:
    """What a worker makes of its batches, or what is wrong with one of them.

    The leader raises it: a worker that did would end the leader before that has taken away what it
    has half written.
    """
    try:
        return [_one(runner, predictor, next(batches)) for _ in range(count)], ""
    except BaryonError as error:
        return [], str(error)


def _one(runner: ModelRunner, predictor: Predictor, batch: Batch) -> Any:
    with torch.inference_mode():
        output = runner.to_cpu(runner(runner.to_device(batch)))
    try:
        return predictor.predict(output, batch)
    except KeyError as error:
        raise BaryonError(
            f"{type(predictor).__name__} needs {error} in each batch, which this dataset does not "
            f"give; it gives {', '.join(batch)}"
        ) from error
