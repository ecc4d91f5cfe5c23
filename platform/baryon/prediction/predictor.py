"""Find the predictor that an evaluator names.

An evaluator names it, as a dataset names its generator: both are about what an output means to the
field. A sixth kind of component would have to be chosen in every config.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

from baryon.config.option_values import option_values
from baryon.config.primary import PREDICT_GROUP
from baryon.errors import BaryonError, did_you_mean
from baryon.interfaces import RUNTIME_ARGUMENTS
from baryon.plugins.components import Maker, build, check_arguments
from baryon.plugins.registry import Component, Plugins, load_target

RUNTIME = RUNTIME_ARGUMENTS[PREDICT_GROUP]


def load_predictor(plugins: Plugins, evaluator: str, overrides: Sequence[str]) -> Maker:
    """Load an evaluator's predictor and check its options.

    Parameters
    ----------
    plugins
        All plugins.
    evaluator
        Name of the evaluator.
    overrides
        Options of the form `predict.<key>=<value>`.

    Returns
    -------
    callable
        Builds the predictor, given `split`.

    Raises
    ------
    BaryonError
        If the evaluator names no predictor, or if it does not take one of the options.

    """
    component = plugins.component("evaluator", evaluator)
    owner = f"predictor of evaluator {evaluator!r} (plugin {component.plugin!r})"
    target = predictor_target(component)
    if target is None:
        raise BaryonError(
            f"evaluator {evaluator!r} (plugin {component.plugin!r}) names no predictor, which "
            f"`baryon predict` needs; evaluators that do: {did_you_mean(_with_predictor(plugins))}"
        )
    factory = load_target(owner, target)
    arguments = option_values(owner, PREDICT_GROUP, evaluator, plugins, overrides)
    check_arguments(owner, factory, arguments, RUNTIME)
    parameters = inspect.signature(factory).parameters

    def make(**runtime: Any) -> Any:
        accepted = {name: value for name, value in runtime.items() if name in parameters}
        return build(owner, PREDICT_GROUP, factory, {**arguments, **accepted})

    return make


def predictor_target(evaluator: Component) -> str | None:
    """Return the predictor that an evaluator's factory names, "module:factory", or None."""
    target: str | None = getattr(evaluator.load(), "predictor", None)
    return target


def _with_predictor(plugins: Plugins) -> list[str]:
    evaluators = plugins.components("evaluator").items()
    return [name for name, component in evaluators if predictor_target(component) is not None]
