"""A run in Python: what its folder holds, and what its model can be asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from baryon.api.answer import Answer
from baryon.api.evaluating import evaluate_run
from baryon.api.loading import load_model
from baryon.api.messages import messages_shown
from baryon.api.predicting import predict_files
from baryon.api.rows import Rows
from baryon.api.signals import interrupting
from baryon.config import frozen_file
from baryon.config.flatten import flat
from baryon.plugins.registry import checked_plugins
from baryon.runs import directory as run_directory
from baryon.runs import record as run_record
from baryon.runs.record import RunRecord
from baryon.terminal.notebook import show_figures

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from baryon.export.exported_model import Exported


class Run:
    """A run by its folder; everything is read anew each time it is asked for.

    Parameters
    ----------
    path
        The run's folder, such as `"runs/latest"`.

    Raises
    ------
    BaryonError
        If this is not a run's folder.

    """

    def __init__(self, path: str | Path) -> None:
        self._directory = run_directory.find(str(path))

    @property
    def path(self) -> Path:
        """Folder of the run."""
        return self._directory.path

    @property
    def name(self) -> str:
        """Name of the run's folder."""
        return self.path.name

    @property
    def record(self) -> RunRecord:
        """All that the folder tells, with a list of what is missing or damaged there."""
        return run_record.read(self._directory)

    @property
    def state(self) -> str:
        """`finished`, `running`, `stopped` in good order, or `interrupted` (killed)."""
        return self.record.state

    @property
    def early_stop(self) -> str:
        """When and why the run ended before its last step (`train.patience`); else empty."""
        return self.record.early_stop

    @property
    def config(self) -> Mapping[str, Any]:
        """The frozen config as nested dictionaries."""
        return self.record.config

    @property
    def answer(self) -> Answer:
        """The evaluation that ended the run; empty until that is done."""
        return Answer(self._directory, self.record)

    @property
    def metrics(self) -> Mapping[str, Any]:
        """Figures of the final evaluation by the evaluator's names."""
        return self.record.evaluation.metrics

    def history(self, kind: str = "train") -> Rows:
        """Return the log's lines of a kind, one row each.

        `train` has means of an interval of steps, `validation` one row a validation.
        """
        lines = self.record.lines(kind)
        return Rows(
            flat({key: value for key, value in line.items() if key != "kind"}) for line in lines
        )

    def curves(self) -> Figure:
        """Draw losses and the training rate by step."""
        from baryon.report.training_curves import curves

        show_figures()
        return curves(self.record.log)

    def load_model(self, weights: str | None = None) -> Exported:
        """Return the trained model, ready for values as the data's files hold them.

        `model(inputs)` takes float32 of shape (samples, channels, ...), divides by the scales of
        the training data, and returns what the network says; it is in evaluation mode, on the CPU.

        Parameters
        ----------
        weights
            `"best"` (by validation), `"last"` or `"ema"` (the average of a run with `train.ema`);
            None takes what the run was evaluated with.

        Raises
        ------
        BaryonError
            If the run has no such weights, or its data or plugin is not there any more.

        """
        with messages_shown():
            return load_model(self._directory, checked_plugins(), weights)

    def evaluate(
        self, overrides: Sequence[str] = (), *, split: str | None = None, weights: str | None = None
    ) -> Answer:
        """Evaluate the weights again and return the answer, as `baryon evaluate` does.

        The answer is also written into a folder of its own below `evaluations/`.

        Parameters
        ----------
        overrides
            Changes of the frozen config, such as `["dataset.test=other/*.h5"]`.
        split
            `"train"`, `"val"` or `"test"`; None takes the first there is of test, val and train.
        weights
            `"best"`, `"last"` or `"ema"`; see `load_model`.

        """
        plugins = checked_plugins()
        with messages_shown(), interrupting():
            written = evaluate_run(
                self._directory, plugins, overrides, split=split, weights=weights
            )
        return Answer(written, run_record.read(written))

    def predict(
        self,
        files: str | Path | Sequence[str | Path],
        overrides: Sequence[str] = (),
        *,
        out: str | Path | None = None,
        weights: str | None = None,
    ) -> Path:
        """Run the model over new files, as `baryon predict` does; return the folder of the result.

        Parameters
        ----------
        files
            A file, a glob, or several; they need no labels.
        overrides
            `predict.<key>=<value>` for the predictor, others for the run's config.
        out
            The folder to make; None makes one below `predictions/` of the run.
        weights
            `"best"`, `"last"` or `"ema"`; see `load_model`.

        """
        # A text is a sequence too, of its letters.
        names = [files] if isinstance(files, (str, Path)) else files
        with messages_shown(), interrupting():
            return predict_files(
                self._directory,
                checked_plugins(),
                [str(name) for name in names],
                overrides,
                out=None if out is None else Path(out),
                weights=weights,
            )

    def resume(self, overrides: Sequence[str] = ()) -> Run:
        """Go on with an unfinished run from its last checkpoint, as `baryon resume` does."""
        # Here and not above: `import baryon` must not wait for PyTorch.
        from baryon.training import run as training_run

        self._directory.require_unfinished()
        plugins = checked_plugins()
        config = frozen_file.read(self._directory.config, overrides, plugins)
        with messages_shown(), interrupting():
            training_run.resume(self._directory, config, plugins)
        return self

    def report(self) -> Path:
        """Write the run's page anew and return its path."""
        from baryon.report.page import run_page
        from baryon.system.atomic import write_text

        write_text(self._directory.report, run_page.page(self.record))
        return self._directory.report

    def __repr__(self) -> str:
        return f"Run({str(self.path)!r}): {self.state}"

    def _repr_html_(self) -> str:
        """Return what a notebook shows: state, choices, the answer, and the curves."""
        from baryon.api.html import run_html

        return run_html(self.record)
