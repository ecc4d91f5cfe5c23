"""Log to Weights & Biases, online or into the run's folder. Needs the extra `wandb`.

A run has the name of its folder there, and a resumed run continues it. Neither the command line nor
code, git state or installed packages are sent: only the config, without credentials, and the
numbers of the log.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any

from baryon.config.config import Config
from baryon.config.flatten import flat
from baryon.config.schemas import WANDB_ONLINE
from baryon.errors import BaryonError
from baryon.runs.directory import RunDirectory
from baryon.terminal.console import say
from baryon.tracking import stored_id
from baryon.tracking.background import SECONDS_TO_END

RUN_ID = "wandb_run_id"
"""File in the run's folder that holds its id in W&B."""
SECONDS_TO_BEGIN = 60.0
STEP = "step"


class Wandb:
    """A run in W&B.

    Raises
    ------
    BaryonError
        If W&B is not installed.

    """

    label = "W&B"

    def __init__(self, run: RunDirectory, config: Config) -> None:
        if find_spec("wandb") is None:
            raise BaryonError("install it by pip install 'baryon[wandb]'")
        self._directory, self._config = run, config
        self._wandb_run: Any = None

    def open(self) -> None:
        """Begin the run in W&B, or take up the one from before a resume."""
        import wandb

        logging.getLogger("wandb").setLevel(logging.ERROR)
        tracking, path = self._config.tracking, self._directory.path
        online = tracking.wandb == WANDB_ONLINE
        # It would ask for a key on the terminal, in the midst of a training.
        if online and not wandb.login(prompt=False, verify=False):
            raise BaryonError("it knows no key: run `wandb login`, or set WANDB_API_KEY")
        identifier = stored_id.read(path / RUN_ID)
        if identifier is None:
            identifier = secrets.token_hex(8)
            stored_id.write(path / RUN_ID, identifier)
        self._wandb_run = wandb.init(
            project=tracking.experiment,
            id=identifier,
            name=path.name,
            dir=str(path),
            config=flat(self._config.values),
            mode=tracking.wandb,
            resume="allow" if online else None,
            reinit="create_new",  # a program that calls Baryon may have a run of its own
            settings=wandb.Settings(
                console="off",
                silent=True,
                save_code=False,
                disable_git=True,
                x_disable_meta=True,  # has the command line, with what it may hold
                x_disable_stats=True,
                x_save_requirements=False,
                init_timeout=SECONDS_TO_BEGIN,
                finish_timeout=SECONDS_TO_END - 5,
                finish_timeout_raises=True,
            ),
        )
        # Steps of W&B only grow, while a resumed run makes some of them again.
        self._wandb_run.define_metric(STEP, hidden=True)
        self._wandb_run.define_metric("*", step_metric=STEP)
        if online:
            say(f"W&B shows this run at {self._wandb_run.url}")

    def log(self, step: int, values: Mapping[str, float], seconds: float) -> None:
        """Send the numbers of one step."""
        del seconds  # W&B takes its own time
        self._wandb_run.log({**values, STEP: step})

    def end(self, *, finished: bool) -> None:
        """End the run in W&B."""
        self._wandb_run.finish(exit_code=0 if finished else 1)
