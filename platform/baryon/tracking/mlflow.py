"""Log to MLflow from a thread of its own: a slow or absent server never delays a step.

Needs the extra `mlflow`, which is the client alone: 4 MB where all of MLflow brings pandas, pyarrow
and scikit-learn. A run has the name of its folder in MLflow, and a resumed run continues it there.
"""

from __future__ import annotations

import logging
import os
import queue
import threading
import time
from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any

from baryon.config.config import Config
from baryon.config.flatten import flat
from baryon.errors import BaryonError, format_error
from baryon.runs.directory import RunDirectory
from baryon.system.atomic import write_text
from baryon.system.plain_data import read_text
from baryon.terminal.console import warn
from baryon.terminal.credentials import strip_credentials

SECONDS_TO_END = 20.0
"""Time that the end of a run waits for lines that have not been sent."""
MAX_QUEUED = 10_000
"""Lines that may wait to be sent; further ones are dropped."""
LONGEST_PARAMETER = 500
LONGEST_REASON = 240
LARGEST_ID = 200
RUN_ID = "mlflow_run_id"
"""File in the run's folder that holds its id in MLflow."""
DATABASES = ("sqlite:", "mysql", "postgresql", "mssql")
PARAMETERS_AT_ONCE = 100
HTTP_LIMITS = {"MLFLOW_HTTP_REQUEST_TIMEOUT": "10", "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2"}
"""Set unless the user has: with MLflow's own limits a request is tried for many minutes."""


class MLflow:
    """Send lines in the order in which they are logged; stop at the first failure, with a warning.

    Raises
    ------
    BaryonError
        If MLflow, or what the address needs, is not installed.

    """

    def __init__(self, run: RunDirectory, config: Config) -> None:
        self._run, self._config = run, config
        self._address = str(config.tracking.mlflow)
        _check(self._address)
        self._queue: queue.Queue[tuple[int, Mapping[str, float], int] | None]
        self._queue = queue.Queue(MAX_QUEUED)
        self._dropped = 0
        self._failed = False
        self._status = "FINISHED"
        self._thread = threading.Thread(target=self._send, name="mlflow", daemon=True)
        self._thread.start()

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Queue the scalars of one step."""
        if self._failed:
            return
        try:
            self._queue.put_nowait((step, values, int(time.time() * 1000)))
        except queue.Full:
            self._dropped += 1

    def close(self, *, finished: bool) -> None:
        """Wait up to `SECONDS_TO_END` for queued lines, and end the run in MLflow.

        Raises
        ------
        BaryonError
            If lines have not been sent.

        """
        self._status = "FINISHED" if finished else "KILLED"
        try:
            self._queue.put(None, timeout=SECONDS_TO_END)
        except queue.Full:
            pass
        else:
            self._thread.join(SECONDS_TO_END)
        if self._thread.is_alive():
            self._dropped += self._queue.qsize()
        if self._dropped and not self._failed:
            shown = strip_credentials(self._address)
            raise BaryonError(f"{self._dropped} lines did not reach {shown}")

    def _send(self) -> None:
        try:
            client = _client(self._address)
            run_id = self._begin(client)
            while (item := self._queue.get()) is not None:
                _log(client, run_id, *item)
            client.set_terminated(run_id, status=self._status)
        except Exception as error:  # noqa: BLE001  whatever a server does, training goes on
            self._failed = True
            reason = strip_credentials(format_error(error))[:LONGEST_REASON]
            shown = strip_credentials(self._address)
            warn(f"stopped logging to MLflow at {shown}, training continues: {reason}")

    def _begin(self, client: Any) -> str:
        """Return the id of the run in MLflow: a new one, or the one from before a resume."""
        id_file = self._run.path / RUN_ID
        if id_file.is_file():
            run_id = read_text(id_file, LARGEST_ID).strip()
            if not run_id.isalnum():  # it becomes part of a path or an address
                raise BaryonError(f"{id_file} does not hold the id of a run in MLflow")
            client.update_run(run_id, status="RUNNING")
            return run_id
        name = self._config.tracking.experiment
        experiment = client.get_experiment_by_name(name)
        number = experiment.experiment_id if experiment else client.create_experiment(name)
        run_id = str(client.create_run(number, run_name=self._run.path.name).info.run_id)
        _log_parameters(client, run_id, flat(self._config.values))
        write_text(id_file, f"{run_id}\n")
        return run_id


def _check(address: str) -> None:
    """Raise `BaryonError` for what is missing, without importing MLflow, which takes seconds."""
    if find_spec("mlflow") is None:
        raise BaryonError("install it by pip install 'baryon[mlflow]'")
    if address.startswith(DATABASES) and find_spec("sqlalchemy") is None:
        raise BaryonError(
            f"a database such as {strip_credentials(address)} needs all of MLflow: pip install "
            "mlflow; its client alone writes to a server (http://...) or a folder"
        )


def _client(address: str) -> Any:
    for name, value in HTTP_LIMITS.items():
        os.environ.setdefault(name, value)
    if "://" not in address or address.startswith("file:"):
        # The file store is in maintenance mode, and MLflow wants to be asked for it by a variable;
        # here the user has asked for it by the address.
        os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")
    logging.getLogger("urllib3").setLevel(logging.ERROR)  # it would report every attempt
    import mlflow

    return mlflow.MlflowClient(tracking_uri=address)


def _log_parameters(client: Any, run_id: str, values: Mapping[str, Any]) -> None:
    from mlflow.entities import Param

    parameters = [Param(key, str(value)[:LONGEST_PARAMETER]) for key, value in values.items()]
    for start in range(0, len(parameters), PARAMETERS_AT_ONCE):
        client.log_batch(run_id, params=parameters[start : start + PARAMETERS_AT_ONCE])


def _log(client: Any, run_id: str, step: int, values: Mapping[str, float], now: int) -> None:
    from mlflow.entities import Metric

    client.log_batch(run_id, metrics=[Metric(name, v, now, step) for name, v in values.items()])
