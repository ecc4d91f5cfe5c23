"""Let Optuna choose the values: ask it for trials, run them as jobs, tell it their values."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from baryon.config.schemas import Optuna
from baryon.errors import BaryonError
from baryon.runs.sweep_file import FAILED, FINISHED, PRUNED
from baryon.sweeps import optuna_study as studies
from baryon.sweeps.identity import Job
from baryon.sweeps.planner import FOLD, Planner, common_overrides, single_override

if TYPE_CHECKING:
    import optuna
    from hydra.core.override_parser.types import Override
    from optuna.distributions import BaseDistribution

    from baryon.runs.sweep_file import SweepJob
    from baryon.sweeps.sweep import Sweep

# Not hydra-optuna-sweeper: it needs Optuna 2, knows no pruning, and keeps nothing that an
# interrupted search could be resumed with.
TrialJobs = list[tuple["optuna.Trial", Job]]


def prepare(
    planner: Planner, overrides: Sequence[Override], settings: Optuna
) -> Callable[[Sweep], None]:
    """Check the ends of every range, and return the function that searches in a sweep.

    Raises `BaryonError` for a range that is none, or a job that is wrong.
    """
    if planner.folds:
        raise BaryonError(f"a search trains one run a trial: choose a fold by {FOLD}=0")
    studies.import_optuna()
    space = {o.get_key_element(): _distribution(o) for o in overrides if o.is_sweep_override()}
    if not space:
        raise BaryonError("sweep=optuna needs a range to search, as in key=interval(1e-4,1e-2)")
    search = _Search(planner, common_overrides(overrides), space, settings)
    for parameters in _ends(space):
        search.job(parameters)
    return search.run


class _Search:
    def __init__(
        self,
        planner: Planner,
        common: Sequence[str],
        space: Mapping[str, BaseDistribution],
        settings: Optuna,
    ) -> None:
        self._planner, self._common, self._space, self._settings = planner, common, space, settings

    def job(self, parameters: Mapping[str, Any]) -> Job:
        chosen = [single_override(key, str(parameters[key])) for key in self._space]
        return self._planner.job([*self._common, *chosen], list(self._space))

    def run(self, sweep: Sweep) -> None:
        """Resume the trials of an interrupted sweep, then repeat failed ones, then ask for new."""
        about = studies.about(self._settings)
        studies.write_about(sweep.folder, about)
        studies.mend_journal(sweep.folder)
        study = studies.open_study(sweep.folder, about)
        keys = self._space.keys()
        begun = [self._with_job(trial) for trial in _begun(study, keys)]
        ended = _count(study, "COMPLETE", "PRUNED")
        earlier = [t.params for t in study.get_trials(deepcopy=False) if t.params.keys() == keys]
        sweep.introduce(sweep.add([self.job(parameters) for parameters in earlier]))
        self._run(sweep, study, begun)
        for parameters in _only_failed(study, keys):
            study.enqueue_trial(parameters)
        left = self._settings.trials - ended - len(begun)
        while left > 0 and not sweep.failed_fast:
            batch = [self._ask(study) for _ in range(min(left, sweep.at_once))]
            left -= len(batch)
            self._run(sweep, study, batch)

    def _ask(self, study: optuna.Study) -> tuple[optuna.Trial, Job]:
        # A fresh sampler for each trial, with a seed of its own: what it suggests then depends on
        # the seed and the trials before alone, so a resumed search continues as if uninterrupted.
        seed = self._planner.seed + len(study.get_trials(deepcopy=False))
        study.sampler = studies.sampler(self._settings, seed)
        return self._with_job(study.ask(dict(self._space)))

    def _with_job(self, trial: optuna.Trial) -> tuple[optuna.Trial, Job]:
        """Pair a trial with its job, and note in it the job's id, by which the job finds it."""
        job = self.job(trial.params)
        trial.set_user_attr(studies.JOB, job.id)
        return trial, job

    def _run(self, sweep: Sweep, study: optuna.Study, trials: TrialJobs) -> None:
        if not trials:
            return
        entries = {entry.id: entry for entry in sweep.run([job for _, job in trials])}
        for trial, job in trials:
            _tell(study, trial, entries[job.id], sweep)


def _count(study: optuna.Study, *states: str) -> int:
    return sum(trial.state.name in states for trial in study.get_trials(deepcopy=False))


def _begun(study: optuna.Study, keys: Collection[str]) -> list[optuna.Trial]:
    """Return trials whose values were chosen but that never ended: the sweep was interrupted."""
    from optuna.trial import Trial, TrialState

    begun = study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
    for trial in begun:
        if trial.params.keys() != keys:  # interrupted while its values were being chosen
            study.tell(trial.number, state=TrialState.FAIL)
    return [Trial(study, trial._trial_id) for trial in begun if trial.params.keys() == keys]


def _only_failed(study: optuna.Study, keys: Collection[str]) -> list[dict[str, Any]]:
    """Return the values that have failed in every trial so far, once each."""
    trials = [t for t in study.get_trials(deepcopy=False) if t.params.keys() == keys]
    others = [trial.params for trial in trials if trial.state.name != "FAIL"]
    enqueued = [
        trial.system_attrs.get("fixed_params")
        for trial in study.get_trials(deepcopy=False)
        if trial.state.name == "WAITING"
    ]
    failed: list[dict[str, Any]] = []
    for trial in trials:
        if trial.params not in [*others, *enqueued, *failed]:
            failed.append(trial.params)
    return failed


def _tell(study: optuna.Study, trial: optuna.Trial, entry: SweepJob, sweep: Sweep) -> None:
    """Tell Optuna how a trial ended.

    Raises `BaryonError` for a finished job without a value: the search would be blind.
    """
    from optuna.trial import TrialState

    if entry.state == FINISHED:
        if entry.value is None:
            raise BaryonError(sweep.why_without_value(entry))
        study.tell(trial, entry.value)
    elif entry.state == PRUNED:
        study.tell(trial, state=TrialState.PRUNED)
    elif entry.state == FAILED:
        study.tell(trial, state=TrialState.FAIL)


def _distribution(override: Override) -> BaseDistribution:
    """Return what Optuna may choose from. Raises `BaryonError` for a range that is none."""
    from hydra.core.override_parser.types import ChoiceSweep, RangeSweep
    from optuna.distributions import CategoricalDistribution

    swept: Any = override.value()
    try:
        if isinstance(swept, ChoiceSweep):
            return CategoricalDistribution(list(override.sweep_string_iterator()))
        if isinstance(swept, RangeSweep):
            values = sorted(swept.range())
            return _numbers(values[0], values[-1], step=abs(swept.step))
        return _numbers(swept.start, swept.end, log="log" in swept.tags)
    except (ValueError, IndexError) as error:
        raise BaryonError(f"{override.input_line}: {error}") from error


def _numbers(low: float, high: float, **options: Any) -> BaseDistribution:
    """Return whole numbers if both ends are: `range(1,9)`, `int(interval(1,9))`."""
    from optuna.distributions import FloatDistribution, IntDistribution

    if isinstance(low, int) and isinstance(high, int):
        return IntDistribution(low, high, **options)
    return FloatDistribution(low, high, **options)


def _ends(space: Mapping[str, BaseDistribution]) -> list[dict[str, Any]]:
    """Return parameters that take every range to both its ends, and every choice once."""
    values = {
        key: list(getattr(range_, "choices", ())) or [range_.low, range_.high]  # type: ignore[attr-defined]
        for key, range_ in space.items()
    }
    longest = max(map(len, values.values()))
    return [{key: v[min(n, len(v) - 1)] for key, v in values.items()} for n in range(longest)]
