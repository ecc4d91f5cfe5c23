"""Run a model over samples without labels, and hand its outputs to a predictor.

A predictor has two calls: `predict` runs on every worker and does the work, knowing no file;
`write` runs on the leader alone, over an iterator. So `with` blocks around its files end in good
order whatever happens, and a predictor that stopped early can be told from one that is done.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from baryon.data.loader import Loader
from baryon.errors import BaryonError
from baryon.interfaces import Batch, Communicator, Predictor
from baryon.prediction.portions import rounds_of
from baryon.terminal.progress import bar
from baryon.training.model_runner import ModelRunner


def predict(
    runner: ModelRunner, predictor: Predictor, loader: Loader, comm: Communicator, folder: Path
) -> str:
    """Predict all samples of a loader's split, and have the leader's predictor write them.

    Collective.

    Parameters
    ----------
    runner
        The model on its device.
    predictor
        This worker's predictor.
    loader
        The samples.
    comm
        The communicator, started.
    folder
        An empty folder for the files.

    Returns
    -------
    str
        On the leader the predictor's summary in one sentence, elsewhere an empty text.

    Raises
    ------
    BaryonError
        If a worker died, or if the predictor left predictions unread.

    """
    predictions = _in_order(runner, predictor, loader, comm)
    summary = predictor.write(predictions, folder) if comm.is_leader else ""
    for _ in predictions:  # on other workers this does the work
        if summary:
            raise BaryonError(
                f"{type(predictor).__name__}.write has ended before the predictions did: report it "
                "to the plugin's author"
            )
    return summary


def _in_order(
    runner: ModelRunner, predictor: Predictor, loader: Loader, comm: Communicator
) -> Iterator[Any]:
    """Yield all workers' predictions in the order of the samples on the leader, none elsewhere."""
    shard, total = comm.shard, len(loader.split)
    rounds = rounds_of(loader.bounds, loader.size_at_once(shard), shard)
    batches = loader.each([rows for round_batches in rounds for rows in round_batches])
    runner.model.eval()
    seen, fault = 0, ""
    with bar("predicting", total, "samples") as advance:
        for round_batches in rounds:
            predictions: list[Any] = []
            if not fault:  # a worker with a fault still takes part in the gathers until it is read
                predictions, fault = _round(runner, predictor, batches, len(round_batches))
            message = (sum(map(len, round_batches)), predictions, fault)
            for samples, worker_predictions, worker_fault in comm.gather(message):
                yield from worker_predictions
                if worker_fault:
                    raise BaryonError(worker_fault)
                advance(samples)
                seen += samples
    # Nobody takes over from a dead worker: who could has not what the leader had written.
    if comm.all_reduce_sum({"seen": seen})["seen"] != total:
        raise BaryonError(f"a worker died: {seen} of {total} samples were predicted; start again")


def _round(
    runner: ModelRunner, predictor: Predictor, batches: Iterator[Batch], count: int
) -> tuple[list[Any], str]:
    """Return the predictions of the next `count` batches, or the message of an error."""
    try:
        return [_predict_batch(runner, predictor, next(batches)) for _ in range(count)], ""
    except BaryonError as error:
        # The leader raises it: a worker that did would end the leader before that has removed what
        # it has half written.
        return [], str(error)


def _predict_batch(runner: ModelRunner, predictor: Predictor, batch: Batch) -> Any:
    with torch.inference_mode():
        output = runner.to_cpu(runner(runner.to_device(batch)))
    try:
        return predictor.predict(output, batch)
    except KeyError as error:
        raise BaryonError(
            f"{type(predictor).__name__} needs {error} in each batch, which this dataset does not "
            f"give; it gives {', '.join(batch)}"
        ) from error
