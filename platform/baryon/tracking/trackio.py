"""Log to Trackio: into its own database, to a server, or to a Space of Hugging Face.

Needs the extra `trackio`. A run has the name of its folder there, and a resumed run continues it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any

from baryon.config.config import Config
from baryon.config.flatten import flat
from baryon.config.schemas import TRACKIO_LOCAL
from baryon.errors import BaryonError
from baryon.runs.directory import RunDirectory

ELSEWHERE = ("TRACKIO_SPACE_ID", "TRACKIO_SERVER_URL")
"""Variables by which Trackio sends elsewhere what its call leaves open."""


class Trackio:
    """A run in Trackio.

    Raises
    ------
    BaryonError
        If Trackio is not installed, or its variables contradict the config.

    """

    def __init__(self, run: RunDirectory, config: Config) -> None:
        if find_spec("trackio") is None:
            raise BaryonError("install it by pip install 'baryon[trackio]'")
        self._directory, self._config = run, config
        self._place = str(config.tracking.trackio)
        self.label = f"Trackio ({self._place})"
        for variable in ELSEWHERE:
            if self._place == TRACKIO_LOCAL and os.environ.get(variable):
                raise BaryonError(
                    f"tracking.trackio={TRACKIO_LOCAL}, but {variable} would send it elsewhere: "
                    "unset it, or give its value as tracking.trackio"
                )
        self._trackio_run: Any = None

    def open(self) -> None:
        """Begin the run in Trackio, or take up the one from before a resume."""
        import trackio

        self._trackio_run = trackio.init(
            project=self._config.tracking.experiment,
            name=self._directory.path.name,
            config=flat(self._config.values),
            resume="allow",
            embed=False,
            auto_log_gpu=False,
            auto_log_cpu=False,
            **self._destination(),
        )

    def log(self, step: int, values: Mapping[str, float], seconds: float) -> None:
        """Send the numbers of one step."""
        del seconds  # Trackio takes its own time
        self._trackio_run.log(dict(values), step=step)

    def end(self, *, finished: bool) -> None:
        """End the run in Trackio, which has no word for how it ended."""
        del finished
        self._trackio_run.finish()

    def _destination(self) -> dict[str, str]:
        if self._place == TRACKIO_LOCAL:
            return {}
        is_server = self._place.startswith(("http://", "https://"))
        return {"server_url" if is_server else "space_id": self._place}
