"""Start a training from weights that another run has learnt."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import torch

from baryon.errors import BaryonError, form
from baryon.runs.directory import RunDirectory
from baryon.runs.provenance import InitialWeights
from baryon.training.checkpoints import schema
from baryon.training.checkpoints.names import BEST, LAST
from baryon.training.parameter_groups import listed, matches


def load_initial_weights(model: torch.nn.Module, init: str, only: Sequence[str]) -> InitialWeights:
    """Put the weights of a run or a checkpoint into a model.

    The file is read as every checkpoint is: it may be anybody's, and nothing in it is executed.

    Parameters
    ----------
    model
        The model, with the first weights that its factory gave it.
    init
        `train.init`: the folder of a run, whose best weights are taken, or its last ones where
        there are no best; or the file of a checkpoint.
    only
        `train.init_only`: patterns of the names of the parameters and buffers to take; of no
        patterns all are taken.

    Returns
    -------
    InitialWeights
        Where they come from.

    Raises
    ------
    BaryonError
        If there is no such file, or names or shapes do not fit; nothing is changed then.

    """
    path = _checkpoint(init)
    state = schema.read_weights(path)
    saved: Mapping[str, torch.Tensor] = state["model"]
    own = model.state_dict()
    wanted = _wanted(own, only)
    _require_fit(path, saved, own, wanted, surplus=not only)
    with torch.no_grad():
        for name in wanted:
            own[name].copy_(saved[name])
    return InitialWeights(
        path=str(path),
        step=state["step"],
        digest=_digest(saved, wanted),
        taken=len(wanted),
        total=len(own),
    )


def _checkpoint(init: str) -> Path:
    path = Path(init).expanduser().resolve()
    run = RunDirectory(path)
    if run.config.is_file():
        run.require_no_links()
        # A run without validation has no best weights.
        best = run.checkpoints / BEST
        return best if best.is_file() else run.checkpoints / LAST
    if not path.is_file():
        raise BaryonError(f"train.init={init} is neither a run's folder nor a checkpoint's file")
    return path


def _wanted(own: Iterable[str], only: Sequence[str]) -> list[str]:
    """Return the names to take. Raises `BaryonError` for a pattern that stands for none."""
    names = list(own)
    for pattern in only:
        if not any(matches(pattern, name) for name in names):
            raise BaryonError(
                f"train.init_only: pattern {pattern!r} matches nothing of the model; it has "
                f"{listed(names)}"
            )
    return [name for name in names if not only or any(matches(p, name) for p in only)]


def _require_fit(
    path: Path,
    saved: Mapping[str, torch.Tensor],
    own: Mapping[str, torch.Tensor],
    wanted: Sequence[str],
    *,
    surplus: bool,
) -> None:
    """Raise `BaryonError` that lists what is missing, of another form, or with `surplus` unknown.

    One line for all of it: whoever takes over a part of another network sees which part fits.
    """
    missing = [name for name in wanted if name not in saved]
    forms = [
        f"{name} {form(saved[name])}, here {form(own[name])}"
        for name in wanted
        if name in saved and form(saved[name]) != form(own[name])
    ]
    unknown = [name for name in saved if name not in own] if surplus else []
    problems = {"it lacks": missing, "of another form": forms, "not in this model": unknown}
    words = [f"{problem}: {listed(names)}" for problem, names in problems.items() if names]
    if words:
        raise BaryonError(
            f"train.init: {path} does not fit the model; {'; '.join(words)}; take what fits by "
            "train.init_only=[<patterns>]"
        )


def _digest(saved: Mapping[str, torch.Tensor], names: Sequence[str]) -> str:
    """Return the SHA-256 of names, types, shapes and values: the file's own changes with the rest.

    A checkpoint also holds states and counters; the same weights in another file have this digest.
    """
    digest = hashlib.sha256()
    # Sorted: the same weights have one digest, whatever order a model registers them in.
    for name in sorted(names):
        values = saved[name].contiguous()
        digest.update(repr((name, str(values.dtype), tuple(values.shape))).encode())
        digest.update(values.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
