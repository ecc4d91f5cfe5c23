"""Log to MLflow.

Needs the extra `mlflow`: the client alone, 4 MB where all of MLflow brings pandas, pyarrow and
scikit-learn, and what a database takes. A run has the name of its folder in MLflow, and a resumed
run continues it there.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any

from baryon.config.config import Config
from baryon.config.flatten import flat
from baryon.errors import BaryonError
from baryon.runs.directory import RunDirectory
from baryon.terminal.credentials import strip_credentials
from baryon.tracking import stored_id

LONGEST_PARAMETER = 500
RUN_ID = "mlflow_run_id"
"""File in the run's folder that holds its id in MLflow."""
DATABASES = ("sqlite:", "mysql", "postgresql", "mssql")
FOR_DATABASES = ("sqlalchemy", "alembic")
PARAMETERS_AT_ONCE = 100
HTTP_LIMITS = {"MLFLOW_HTTP_REQUEST_TIMEOUT": "10", "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2"}
"""Set unless the user has: with MLflow's own limits a request is tried for many minutes."""


class MLflow:
    """A run in MLflow, on a server or in a database.

    Raises
    ------
    BaryonError
        If MLflow, or what the address needs, is not installed, or the address is none.

    """

    def __init__(self, run: RunDirectory, config: Config) -> None:
        self._run, self._config = run, config
        self._address = str(config.tracking.mlflow)
        self.label = f"MLflow at {self._address}"
        _check(self._address)
        self._client: Any = None
        self._run_id = ""

    def open(self) -> None:
        """Create the run in MLflow, or take up the one from before a resume."""
        self._client = _client(self._address)
        stored = stored_id.read(self._run.path / RUN_ID)
        if stored is not None:
            self._run_id = stored
            self._client.update_run(stored, status="RUNNING")
            return
        name = self._config.tracking.experiment
        experiment = self._client.get_experiment_by_name(name)
        number = experiment.experiment_id if experiment else self._client.create_experiment(name)
        created = self._client.create_run(number, run_name=self._run.path.name)
        self._run_id = str(created.info.run_id)
        _log_parameters(self._client, self._run_id, flat(self._config.values))
        stored_id.write(self._run.path / RUN_ID, self._run_id)

    def log(self, step: int, values: Mapping[str, float], seconds: float) -> None:
        """Send the numbers of one step."""
        from mlflow.entities import Metric

        at = int(seconds * 1000)
        metrics = [Metric(name, value, at, step) for name, value in values.items()]
        self._client.log_batch(self._run_id, metrics=metrics)

    def end(self, *, finished: bool) -> None:
        """End the run in MLflow."""
        status = "FINISHED" if finished else "KILLED"
        self._client.set_terminated(self._run_id, status=status)


def _check(address: str) -> None:
    """Raise `BaryonError` for what is missing, without importing MLflow, which takes seconds."""
    if "://" not in address or address.startswith("file:"):
        raise BaryonError(
            f"MLflow writes into no plain folder any more ({strip_credentials(address)}): give a "
            "database, tracking.mlflow=sqlite:///mlflow.db, or a server, "
            "tracking.mlflow=http://host:5000"
        )
    needed = ("mlflow", *(FOR_DATABASES if address.startswith(DATABASES) else ()))
    if any(find_spec(name) is None for name in needed):
        raise BaryonError("install it by pip install 'baryon[mlflow]'")


def _client(address: str) -> Any:
    for name, value in HTTP_LIMITS.items():
        os.environ.setdefault(name, value)
    logging.getLogger("urllib3").setLevel(logging.ERROR)  # it would report every attempt
    for name in ("mlflow", "alembic"):  # they would report every table of a new database
        logging.getLogger(name).setLevel(logging.WARNING)
    import mlflow

    return mlflow.MlflowClient(tracking_uri=address)


def _log_parameters(client: Any, run_id: str, values: Mapping[str, Any]) -> None:
    from mlflow.entities import Param

    parameters = [Param(key, str(value)[:LONGEST_PARAMETER]) for key, value in values.items()]
    for start in range(0, len(parameters), PARAMETERS_AT_ONCE):
        client.log_batch(run_id, params=parameters[start : start + PARAMETERS_AT_ONCE])
