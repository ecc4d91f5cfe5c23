"""The contract between the host and a plugin: five hooks.

Each hook takes no arguments, is pure and cheap, and maps the names of the components a plugin
offers to the targets `"module:factory"` that build them. A target is imported only when a run
chooses it, so a plugin's `__init__` stays light. The option's defaults lie beside the plugin in
`<package>/conf/<group>/<name>.yaml`; `baryon.interfaces` says what a factory is called with and
what it must return.

A whole plugin's hooks:

    # pyproject.toml
    [project.entry-points.baryon]
    acme = "acme_baryon"

    # acme_baryon/__init__.py
    from baryon import hookimpl

    @hookimpl
    def baryon_models():
        return {"acme_mlp": "acme_baryon.mlp:AcmeMLP"}
"""

from collections.abc import Mapping

import pluggy

ENTRY_POINT_GROUP = "baryon"
"""Group of the entry points that name the packages with hooks."""

hookspec = pluggy.HookspecMarker("baryon")

Targets = Mapping[str, str]


@hookspec
def baryon_datasets() -> Targets:
    """Datasets, chosen with `dataset=<name>`; see `baryon.interfaces.Dataset`."""
    raise AssertionError("a specification is never called")


@hookspec
def baryon_models() -> Targets:
    """Models, chosen with `model=<name>`; see `baryon.interfaces.Model`."""
    raise AssertionError("a specification is never called")


@hookspec
def baryon_losses() -> Targets:
    """Losses, chosen with `loss=<name>`; see `baryon.interfaces.Loss`."""
    raise AssertionError("a specification is never called")


@hookspec
def baryon_communicators() -> Targets:
    """Communication strategies, chosen with `comm=<name>`; see `baryon.interfaces.Communicator`."""
    raise AssertionError("a specification is never called")


@hookspec
def baryon_evaluators() -> Targets:
    """Evaluators, chosen with `evaluator=<name>`; see `baryon.interfaces.Evaluator`."""
    raise AssertionError("a specification is never called")
