"""MLflow, told by a thread of its own: a server that is slow or gone never holds a step up.

Needs the extra `mlflow`. The name of the run there is that of its folder; a resumed run goes on
with it.
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
"""How long what is not yet told is waited for when the run ends."""
MOST_WAITING = 10_000
"""Measurements; what comes while so many wait is dropped."""
LONGEST_PARAMETER = 500
LONGEST_REASON = 240
LARGEST_ID = 200
RUN_ID = "mlflow_run_id"
"""The file in the run's folder that holds its identity there."""
DATABASES = ("sqlite:", "mysql", "postgresql", "mssql")
PARAMETERS_AT_ONCE = 100
IMPATIENT = {"MLFLOW_HTTP_REQUEST_TIMEOUT": "10", "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2"}
"""Unless the user has set them: MLflow's own would try for many minutes."""


class MLflow:
    """Sends in the order of logging; the first failure ends it, with one warning."""

    def __init__(self, run: RunDirectory, config: Config) -> None:
        self._run, self._config = run, config
        self._address = str(config.tracking.mlflow)
        _check(self._address)
        self._waiting: queue.Queue[tuple[int, Mapping[str, float], int] | None]
        self._waiting = queue.Queue(MOST_WAITING)
        self._dropped = 0
        self._failed = False
        self._status = "FINISHED"
        self._thread = threading.Thread(target=self._work, name="mlflow", daemon=True)
        self._thread.start()

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Put into the queue."""
        if self._failed:
            return
        try:
            self._waiting.put_nowait((step, values, int(time.time() * 1000)))
        except queue.Full:
            self._dropped += 1

    def close(self, *, finished: bool) -> None:
        """Wait a little for what is not yet told. Raises `BaryonError` for what was not."""
        self._status = "FINISHED" if finished else "KILLED"
        try:
            self._waiting.put(None, timeout=SECONDS_TO_END)
        except queue.Full:
            pass
        else:
            self._thread.join(SECONDS_TO_END)
        if self._thread.is_alive():
            self._dropped += self._waiting.qsize()
        if self._dropped and not self._failed:
            shown = strip_credentials(self._address)
            raise BaryonError(f"{self._dropped} lines did not reach {shown}")

    def _work(self) -> None:
        try:
            client = _client(self._address)
            there = self._begin(client)
            while (item := self._waiting.get()) is not None:
                _log(client, there, *item)
            client.set_terminated(there, status=self._status)
        except Exception as error:  # noqa: BLE001  whatever a server does, training goes on
            self._failed = True
            reason = strip_credentials(format_error(error))[:LONGEST_REASON]
            shown = strip_credentials(self._address)
            warn(f"stopped logging to MLflow at {shown}, training continues: {reason}")

    def _begin(self, client: Any) -> str:
        """The run in MLflow, a new one or that of before a resumption."""
        noted = self._run.path / RUN_ID
        if noted.is_file():
            there = read_text(noted, LARGEST_ID).strip()
            if not there.isalnum():
                raise BaryonError(f"{noted} holds no identity of a run in MLflow")
            client.update_run(there, status="RUNNING")
            return there
        name = self._config.tracking.experiment
        experiment = client.get_experiment_by_name(name)
        number = experiment.experiment_id if experiment else client.create_experiment(name)
        there = str(client.create_run(number, run_name=self._run.path.name).info.run_id)
        _tell_parameters(client, there, flat(self._config.values))
        write_text(noted, f"{there}\n")
        return there


def _check(address: str) -> None:
    """Raise `BaryonError` for what can be seen without MLflow's own import, which takes seconds."""
    if find_spec("mlflow") is None:
        raise BaryonError("install it by pip install 'baryon[mlflow]'")
    if address.startswith(DATABASES) and find_spec("sqlalchemy") is None:
        raise BaryonError(
            f"a database such as {strip_credentials(address)} needs all of MLflow: pip install "
            "mlflow; its client alone writes to a server (http://...) or a folder"
        )


def _client(address: str) -> Any:
    for name, value in IMPATIENT.items():
        os.environ.setdefault(name, value)
    if "://" not in address or address.startswith("file:"):
        os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")  # asked for by its address
    logging.getLogger("urllib3").setLevel(logging.ERROR)  # it would tell of every attempt
    import mlflow

    return mlflow.MlflowClient(tracking_uri=address)


def _tell_parameters(client: Any, there: str, values: Mapping[str, Any]) -> None:
    from mlflow.entities import Param

    parameters = [Param(key, str(value)[:LONGEST_PARAMETER]) for key, value in values.items()]
    for start in range(0, len(parameters), PARAMETERS_AT_ONCE):
        client.log_batch(there, params=parameters[start : start + PARAMETERS_AT_ONCE])


def _log(client: Any, there: str, step: int, values: Mapping[str, float], now: int) -> None:
    from mlflow.entities import Metric

    client.log_batch(there, metrics=[Metric(name, v, now, step) for name, v in values.items()])
