"""Generate a data set of calorimeter images: `baryon data generate dataset=hep_images`.

Passing events are generated in parts by several processes, then merged into one file for each
image size and split. The same settings give the same bytes, whatever the number of workers and
however often the work was interrupted; other settings give other events and other event ids, even
with the same seed, so that the files of two data sets may be joined.
"""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from baryon.errors import BaryonError
from baryon.system import worker_pool
from baryon.terminal.console import say
from baryon.terminal.progress import bar
from baryon_hep.generation.chain import generate_part
from baryon_hep.generation.folder import (
    PARTS,
    RECORD,
    is_finished,
    open_folder,
    remove_parts,
    writing,
)
from baryon_hep.generation.merge import write_split
from baryon_hep.generation.parts import Part, parts
from baryon_hep.generation.processes import Process, processes
from baryon_hep.generation.provenance import provenance, total_yield
from baryon_hep.generation.settings import Settings
from baryon_hep.generation.splits import SplitFile, split_files
from baryon_hep.generation.versions import require_simulation


def generate(
    *,
    out: str,
    events: int,
    signal_fraction: float,
    signal: str,
    gluino_mass: float,
    neutralino_mass: float,
    pt_hat_slices: Sequence[float],
    early_veto: bool,
    trimmed: bool,
    energy_significance: float,
    image_sizes: Sequence[int],
    eta_max: float | None,
    splits: Mapping[str, float],
    seed: int,
    part_events: int,
    workers: int | None,
) -> None:
    """Write `hep_<size>_<split>.h5` and `generation.json` in the folder `out`.

    `conf/generate/hep_images.yaml` explains the keys. Run again after an interruption it continues;
    run again when finished it does nothing.

    Raises
    ------
    BaryonError
        For settings that make no sense, a folder that holds other data, a missing extra, a full
        disk or a worker that died.

    """
    settings = Settings(
        events=events,
        signal_fraction=signal_fraction,
        signal=signal,
        gluino_mass=gluino_mass,
        neutralino_mass=neutralino_mass,
        pt_hat_slices=tuple(pt_hat_slices),
        early_veto=early_veto,
        trimmed=trimmed,
        energy_significance=energy_significance,
        image_sizes=tuple(image_sizes),
        eta_max=eta_max,
        splits=dict(splits),
        seed=seed,
        part_events=part_events,
    )
    require_simulation()
    with _interruptible():
        _make_data_set(settings, Path(out).expanduser(), _worker_count(workers))


def _worker_count(workers: int | None) -> int:
    """Return the number of processes: as given, or one for each core of this process."""
    if workers is not None and workers < 0:
        raise BaryonError(f"generate.workers: {workers} is negative; null takes all cores")
    return workers or len(os.sched_getaffinity(0))


def _make_data_set(settings: Settings, folder: Path, workers: int) -> None:
    """Generate the parts that are missing, merge them all into files, and remove them."""
    if is_finished(settings, folder):
        say(f"{folder} already holds these {settings.events} events: nothing to do")
        return
    open_folder(settings, folder)
    all_parts = parts(processes(settings), settings.part_events, folder / PARTS)
    _make_parts(all_parts, settings, workers)
    files = _write_files(settings, folder, all_parts, workers)
    remove_parts(folder, [part.file for part in all_parts])
    say(f"{settings.events} events in {folder}: {', '.join(file.file.name for file in files)}")


def _make_parts(all_parts: Sequence[Part], settings: Settings, workers: int) -> None:
    # Parts get their name when they are whole: one that exists is a finished one.
    missing = [part for part in all_parts if not part.file.exists()]
    if len(missing) < len(all_parts):
        say(f"{len(all_parts) - len(missing)} of {len(all_parts)} parts are there already")
    with bar("generating events", sum(part.events for part in missing), "events") as advance:
        worker_pool.run(generate_part, [(part, settings) for part in missing], workers, advance)


def _write_files(
    settings: Settings, folder: Path, all_parts: Sequence[Part], workers: int
) -> list[SplitFile]:
    """Merge the parts into the files of all sizes and splits, then write the record."""
    parts_of = _by_process(all_parts)
    yields = {process: total_yield(process, of_it) for process, of_it in parts_of.items()}
    record = provenance(settings, list(yields.values()))
    files = split_files(settings, folder, parts_of, yields, record)
    with bar("writing images", sum(len(file) for file in files), "images") as advance:
        worker_pool.run(write_split, [(file,) for file in files], workers, advance)
    # The record is written last: it marks the folder as finished.
    with writing(folder / RECORD) as temporary:
        temporary.write_text(json.dumps(record, indent=2) + "\n")
    return files


def _by_process(all_parts: Sequence[Part]) -> dict[Process, list[Part]]:
    parts_of: dict[Process, list[Part]] = {}
    for part in all_parts:
        parts_of.setdefault(part.process, []).append(part)
    return parts_of


@contextmanager
def _interruptible() -> Iterator[None]:
    """Tell the user how to continue after Ctrl-C."""
    try:
        yield
    except KeyboardInterrupt:
        raise BaryonError(
            "interrupted; finished parts are kept, run the same command again to go on"
        ) from None
