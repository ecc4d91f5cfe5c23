"""Optuna chooses the values: trials are asked for, run as jobs, and told."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from baryon.config.schemas import Optuna
from baryon.errors import BaryonError
from baryon.runs.sweep_file import FAILED, FINISHED, PRUNED
from baryon.sweeps import optuna_study as studies
from baryon.sweeps.identity import Job
from baryon.sweeps.plan import Planner, fixed, one_value

if TYPE_CHECKING:
    import optuna
    from hydra.core.override_parser.types import Override
    from optuna.distributions import BaseDistribution

    from baryon.runs.sweep_file import SweepJob
    from baryon.sweeps.sweep import Sweep

Trials = list[tuple["optuna.Trial", Job]]


def prepare(
    planner: Planner, overrides: Sequence[Override], settings: Optuna
) -> Callable[[Sweep], None]:
    """Check the ends of every range, and give what searches in a sweep.

    Raises `BaryonError` for a range that is none, or a job that cannot be.
    """
    studies.optuna_itself()
    space = {o.get_key_element(): _distribution(o) for o in overrides if o.is_sweep_override()}
    if not space:
        raise BaryonError("sweep=optuna needs a range to search, as in key=interval(1e-4,1e-2)")
    search = _Search(planner, fixed(overrides), space, settings)
    for end in _ends(space):
        search.job(end)
    return search.run


class _Search:
    def __init__(
        self,
        planner: Planner,
        alike: Sequence[str],
        space: Mapping[str, BaseDistribution],
        settings: Optuna,
    ) -> None:
        self._planner, self._alike, self._space, self._settings = planner, alike, space, settings

    def job(self, parameters: Mapping[str, Any]) -> Job:
        chosen = [one_value(key, str(parameters[key])) for key in self._space]
        return self._planner.job([*self._alike, *chosen], list(self._space))

    def run(self, sweep: Sweep) -> None:
        """Those of an interrupted sweep first, then failed ones again, then new ones."""
        told = studies.about(self._settings)
        studies.write_about(sweep.folder, told)
        studies.mend_journal(sweep.folder)
        study = studies.open_study(sweep.folder, told)
        keys = self._space.keys()
        begun = [self._named(trial) for trial in _begun(study, keys)]
        done = _number(study, "COMPLETE", "PRUNED")
        before = [t.params for t in study.get_trials(deepcopy=False) if t.params.keys() == keys]
        sweep.introduce(sweep.add([self.job(parameters) for parameters in before]))
        self._run(sweep, study, begun)
        for parameters in _failed(study, keys):
            study.enqueue_trial(parameters)
        left = self._settings.trials - done - len(begun)
        while left > 0:
            batch = [self._ask(study) for _ in range(min(left, sweep.at_once))]
            left -= len(batch)
            self._run(sweep, study, batch)

    def _ask(self, study: optuna.Study) -> tuple[optuna.Trial, Job]:
        seed = self._planner.seed + len(study.get_trials(deepcopy=False))
        study.sampler = studies.sampler(self._settings, seed)
        return self._named(study.ask(dict(self._space)))

    def _named(self, trial: optuna.Trial) -> tuple[optuna.Trial, Job]:
        """A trial with its job, by whose name the job finds it."""
        job = self.job(trial.params)
        trial.set_user_attr(studies.JOB, job.id)
        return trial, job

    def _run(self, sweep: Sweep, study: optuna.Study, trials: Trials) -> None:
        if not trials:
            return
        entries = {entry.id: entry for entry in sweep.run([job for _, job in trials])}
        for trial, job in trials:
            _tell(study, trial, entries[job.id], sweep)


def _number(study: optuna.Study, *states: str) -> int:
    return sum(trial.state.name in states for trial in study.get_trials(deepcopy=False))


def _begun(study: optuna.Study, keys: Collection[str]) -> list[optuna.Trial]:
    """Trials whose values were chosen but whose end nobody has told: the sweep was cut off."""
    from optuna.trial import Trial, TrialState

    begun = study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
    for trial in begun:
        if trial.params.keys() != keys:  # cut off while its values were being chosen
            study.tell(trial.number, state=TrialState.FAIL)
    return [Trial(study, trial._trial_id) for trial in begun if trial.params.keys() == keys]


def _failed(study: optuna.Study, keys: Collection[str]) -> list[dict[str, Any]]:
    """Values that have only ever failed, once each."""
    trials = [t for t in study.get_trials(deepcopy=False) if t.params.keys() == keys]
    others = [trial.params for trial in trials if trial.state.name != "FAIL"]
    waiting = [
        trial.system_attrs.get("fixed_params")
        for trial in study.get_trials(deepcopy=False)
        if trial.state.name == "WAITING"
    ]
    found: list[dict[str, Any]] = []
    for trial in trials:
        if trial.params not in [*others, *waiting, *found]:
            found.append(trial.params)
    return found


def _tell(study: optuna.Study, trial: optuna.Trial, entry: SweepJob, sweep: Sweep) -> None:
    """Raise `BaryonError` for a finished job without a value: the search would be blind."""
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
    """What Optuna may choose from. Raises `BaryonError` for a range that is none."""
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


def _numbers(low: float, high: float, **how: Any) -> BaseDistribution:
    """Whole ones if both ends are: `range(1,9)`, `int(interval(1,9))`."""
    from optuna.distributions import FloatDistribution, IntDistribution

    if isinstance(low, int) and isinstance(high, int):
        return IntDistribution(low, high, **how)
    return FloatDistribution(low, high, **how)


def _ends(space: Mapping[str, BaseDistribution]) -> list[dict[str, Any]]:
    """The smallest and largest values, and every choice at least once."""
    values = {
        key: list(getattr(one, "choices", ())) or [one.low, one.high]  # type: ignore[attr-defined]
        for key, one in space.items()
    }
    longest = max(map(len, values.values()))
    return [{key: v[min(n, len(v) - 1)] for key, v in values.items()} for n in range(longest)]
