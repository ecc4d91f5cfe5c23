"""Write the script of a job for a batch system, from a template that a site can replace."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from baryon.config.schemas import LaunchByScript
from baryon.errors import BaryonError, format_error
from baryon.launch.child_python import child_python
from baryon.plugins.registry import host_conf
from baryon.sweeps import job_status, run_job
from baryon.sweeps.launcher import PlacedJob
from baryon.system.atomic import write_text

if TYPE_CHECKING:
    from jinja2 import Template

FOLDER = ".batch"
"""Folder within a sweep's folder for the scripts of its jobs and what the batch system says."""
BODY = "body"
"""Name by which a template includes what every script does below its directives."""
OUTPUT = "output.txt"
NAME_LENGTH = 15
"""Characters that PBS allows for the name of a job."""
HANDED_ON = ("BARYON_DISABLE", "BARYON_TRACEBACK", "PYTHONPATH", "XDG_CACHE_HOME")
"""Variables of the sweep's environment that its jobs get; further ones are set by `launch.setup`.

Not all of it: PBS shows the environment that it carries to everybody, with the keys that lie there.
"""


def load_template(settings: LaunchByScript) -> Template:
    """Read the template. Raises `BaryonError` for one that is missing or none."""
    from jinja2 import ChoiceLoader, DictLoader, FunctionLoader, StrictUndefined, TemplateError
    from jinja2.sandbox import SandboxedEnvironment

    path = template_path(settings)
    body = host_conf() / "launch" / "body.sh.j2"
    try:
        sources = DictLoader({BODY: body.read_text(), str(path): path.read_text()})
        environment = SandboxedEnvironment(
            loader=ChoiceLoader([sources, FunctionLoader(lambda name: None)]),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            keep_trailing_newline=True,
        )
        environment.filters["quote"] = lambda value: shlex.quote(str(value))
        return environment.get_template(str(path))
    except (OSError, UnicodeDecodeError, TemplateError) as error:
        raise BaryonError(_cannot_use(path, error)) from error


def template_path(settings: LaunchByScript) -> Path:
    """Return the site's template, or Baryon's own."""
    if settings.template is None:
        return host_conf() / "launch" / f"{settings.launcher}.sh.j2"
    return Path(settings.template).expanduser().absolute()


def write(sweep: Path, job: PlacedJob, settings: LaunchByScript) -> Path:
    """Write the script of a job into the folder of its sweep, and return its path.

    Raises `BaryonError` for a template that cannot be filled in.
    """
    from jinja2 import TemplateError

    try:
        text = load_template(settings).render(values(sweep, job, settings))
    except (TemplateError, TypeError, ValueError) as error:
        raise BaryonError(_cannot_use(template_path(settings), error)) from error
    path = scripts(sweep) / f"{job.folder.name}.sh"
    path.parent.mkdir(exist_ok=True)
    for file in (path.parent, log(sweep, job.folder.name)):  # the sweep may be somebody else's
        if file.is_symlink():
            raise BaryonError(f"{file} is a link, which is not followed: remove it")
    write_text(path, text)
    return path


def _cannot_use(path: Path, error: Exception) -> str:
    line = getattr(error, "lineno", None)
    place = f"{path}, line {line}" if line else f"{path}"
    return f"launch.template: {place} cannot be used: {format_error(error)}"


def scripts(sweep: Path) -> Path:
    """Return the folder of a sweep's scripts."""
    return sweep.resolve() / FOLDER


def log(sweep: Path, run: str) -> Path:
    """Return the file for what the batch system itself says of a job, by the job's run."""
    return scripts(sweep) / f"{run}.log"


def number_file(sweep: Path, run: str) -> Path:
    """Return the file with the number under which the batch system has a job."""
    return scripts(sweep) / f"{run}.number"


def job_name(folder: Path) -> str:
    """Return the name of a job in the batch system, by the folder of its run."""
    return f"baryon-{folder.name}"[:NAME_LENGTH]


def time_is_up(sweep: Path, run: str) -> Path:
    """Return the file that a script leaves when the time of its job was up."""
    return scripts(sweep) / f"{run}.timeout"


def values(sweep: Path, job: PlacedJob, settings: LaunchByScript) -> dict[str, Any]:
    """Return what the names in a template stand for; docs/sweeps.md explains them."""
    folder = job.folder.resolve()
    command = child_python("-m", "baryon.sweeps.run_job", str(folder), run_job.OUTLIVES_SWEEP)
    same_name = (
        *("nodes", "ranks", "mpiexec", "queue", "account", "timeout_min", "gpus_per_node"),
        *("mem_gb", "setup", "directives"),
    )
    return {name: getattr(settings, name) for name in same_name} | {
        "name": job_name(folder),
        "ranks_per_node": settings.ranks // settings.nodes,
        "cpus_per_task": settings.cpus_per_task or 1,
        "walltime": f"{settings.timeout_min // 60:02}:{settings.timeout_min % 60:02}:00",
        "warn_after_s": settings.timeout_min * 60 - settings.signal_delay_s,
        "folder": Path.cwd(),
        "log": log(sweep, folder.name),
        "output": folder / OUTPUT,
        "errors": folder / job_status.STDERR,
        "time_is_up": time_is_up(sweep, folder.name),
        "environment": _environment(job.asked, settings),
        "command": shlex.join(command),
    }


def _environment(asked: Mapping[str, Any], settings: LaunchByScript) -> dict[str, str]:
    handed_on = {name: os.environ[name] for name in HANDED_ON if name in os.environ}
    threads = {"OMP_NUM_THREADS": str(settings.cpus_per_task or 1)}
    return {**handed_on, **threads, run_job.ASKED: json.dumps(dict(asked))}
