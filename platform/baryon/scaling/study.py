"""Predict a family of jobs: over nodes, communicators, groups and servers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import product

from baryon.errors import BaryonError
from baryon.scaling.job import HYBRID, SYNC, Job
from baryon.scaling.machine import Machine
from baryon.scaling.network import Network
from baryon.scaling.prediction import Prediction, Settings, predict

MOST_GROUPS = 10
"""Implicit momentum is 1 - 1/G (arXiv:1605.09774); beyond 10 groups it exceeds the usual 0.9, which
no explicit momentum can then make up for (Omnivore, arXiv:1606.04487, stops there too)."""
WORTH = 0.01
"""Relative gain of throughput below which fewer groups or servers are taken."""
# Enough to compare jobs; the one that is chosen is predicted anew with all steps.
TRIAL_STEPS = 200


@dataclass(frozen=True)
class Request:
    """What is to be predicted.

    Attributes
    ----------
    nodes : numbers of workers
    comms : communicators, of `sync` and `hybrid`
    groups, servers : numbers of them with `hybrid`; () for the best
    samples : samples of a worker in a step (weak scaling), or
    group_samples : samples of a group (strong scaling); None for weak
    checkpoint_every : steps between two checkpoints; 0 for none
    settings : how it is predicted

    """

    nodes: Sequence[int]
    comms: Sequence[str] = (SYNC, HYBRID)
    groups: Sequence[int] = ()
    servers: Sequence[int] = ()
    samples: float = 8
    group_samples: int | None = None
    checkpoint_every: int = 0
    settings: Settings = Settings()  # noqa: RUF009  frozen


@dataclass(frozen=True)
class Study:
    """The predictions of a request, and why some of its jobs have none."""

    machine: Machine
    network: Network
    request: Request
    predictions: Sequence[Prediction]
    skipped: Sequence[str]


def study(machine: Machine, network: Network, request: Request) -> Study:
    """Predict all jobs of a request.

    Raises
    ------
    BaryonError
        If none of its jobs can be, with the reason of the first.

    """
    predictions: list[Prediction] = []
    errors: list[BaryonError] = []
    for comm in request.comms:
        for nodes in request.nodes:
            for prediction in _predicted(machine, network, request, comm, nodes):
                if isinstance(prediction, BaryonError):
                    errors.append(prediction)
                else:
                    predictions.append(prediction)
    if not predictions:
        raise errors[0] if errors else BaryonError("give nodes=<numbers> to predict")
    return Study(machine, network, request, predictions, [str(error) for error in errors])


def fewest_nodes(machine: Machine, network: Network, request: Request, rate: float) -> int:
    """Return the fewest workers that reach a throughput with the request's first communicator.

    `rate` is in samples a second of all workers. Raises `BaryonError` if not even the whole machine
    reaches it.
    """
    trial = replace(request, settings=replace(request.settings, steps=TRIAL_STEPS))

    def reaches(nodes: int) -> bool:
        found = list(_predicted(machine, network, trial, request.comms[0], nodes))
        return any(_rate(p) >= rate for p in found if isinstance(p, Prediction))

    largest = int(machine["nodes"])
    low, high = 0, 1
    # Doubling first: the machine may have 100,000 nodes, and a prediction costs the more the more
    # there are.
    while high < largest and not reaches(high):
        low, high = high, 2 * high
    high = min(high, largest)
    if not reaches(high):
        raise BaryonError(
            f"machine {machine.name!r} does not reach {rate:,} samples/s of network "
            f"{network.name!r} with all its {largest:,} nodes"
        )
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if reaches(middle) else (middle, high)
    return high


def _predicted(
    machine: Machine, network: Network, request: Request, comm: str, nodes: int
) -> Iterator[Prediction | BaryonError]:
    """Yield the predictions for so many workers, and the reason of each that cannot be made."""

    def attempt(make: Callable[[], Prediction]) -> Prediction | BaryonError:
        try:
            return make()
        except BaryonError as error:
            return error

    def of(groups: int, servers: int) -> Prediction:
        return _predict(machine, network, request, _job(request, nodes, groups, servers))

    if comm == SYNC:
        yield attempt(lambda: of(1, 0))
    elif request.groups and request.servers:
        for groups, servers in product(request.groups, request.servers):
            yield attempt(partial(of, groups, servers))
    else:
        # Of each number of groups that was asked for, or of all together.
        choices: list[tuple[int, ...]] = [(groups,) for groups in request.groups]
        for choice in choices or [()]:
            wanted = replace(request, groups=choice)
            yield attempt(partial(best, machine, network, wanted, nodes))


def best(machine: Machine, network: Network, request: Request, nodes: int) -> Prediction:
    """Return the hybrid job of highest throughput on so many workers.

    The groups and servers that the request names are held fixed. More groups, and more servers, are
    taken only where they gain at least `WORTH`.

    Raises
    ------
    BaryonError
        If so many workers cannot be divided into groups.

    """
    layers = sum(1 for layer in network.layers if layer.parameters)
    trial = replace(request, settings=replace(request.settings, steps=TRIAL_STEPS))
    chosen: Prediction | None = None
    for groups in request.groups or _divisors(nodes):
        fewest: Prediction | None = None
        # From a server for each layer, as in the paper, down to one.
        for servers in request.servers or sorted({layers, *_halves(layers)}, reverse=True):
            found = _predict(machine, network, trial, _job(trial, nodes, groups, servers))
            if fewest is None or _rate(found) >= (1 - WORTH) * _rate(fewest):
                fewest = found
        if fewest and (chosen is None or _rate(fewest) > (1 + WORTH) * _rate(chosen)):
            chosen = fewest
    if chosen is None:
        raise BaryonError(
            f"{nodes} workers cannot be divided into 2 to {MOST_GROUPS} equal groups: give nodes= "
            "another number, or comm=sync"
        )
    return _predict(machine, network, request, chosen.job)


def _divisors(nodes: int) -> list[int]:
    return [n for n in range(2, MOST_GROUPS + 1) if nodes % n == 0]


def _halves(number: int) -> Iterator[int]:
    while number > 1:
        number //= 2
        yield number


def _rate(prediction: Prediction) -> float:
    return prediction.samples_per_second


def _job(request: Request, nodes: int, groups: int, servers: int) -> Job:
    samples = request.samples
    if request.group_samples is not None:
        samples = request.group_samples * groups / nodes
        if samples < 1:
            raise BaryonError(
                f"{request.group_samples} samples are too few for a group of {nodes // groups} "
                "workers: each needs one; give fewer nodes or more group_batch"
            )
    return Job(nodes, groups, servers, samples, request.checkpoint_every)


def _predict(machine: Machine, network: Network, request: Request, job: Job) -> Prediction:
    # In strong scaling one node would compute the samples of a whole group.
    single = float(request.group_samples) if request.group_samples else None
    return predict(machine, network, job, request.settings, single_samples=single)
