"""Find members of a component whose names look like misspelt optional members of its contract."""

from __future__ import annotations

import difflib

SIMILARITY = 0.85
"""Ratio of `difflib` from which two names count as one, such as `augmet` and `augment`."""


def require_no_misspelling(owner: str, component: object, contract: type) -> None:
    """Raise `AssertionError` for a public member named almost like one of the contract.

    Optional members have defaults, so a misspelt one would be ignored without a word.

    Parameters
    ----------
    owner
        The component's name in the message.
    component
        An object, or a class, that is to fulfil the contract.
    contract
        The class of `baryon.interfaces` that names the members.

    """
    optional = public_members(contract)
    for name in sorted(public_members(component) - optional):
        near = difflib.get_close_matches(name, sorted(optional), n=1, cutoff=SIMILARITY)
        # A member may well exist beside one of a similar name: then neither is a misspelling.
        if near and not _is_overridden(component, near[0], contract):
            raise AssertionError(
                f"{owner} has {name!r}, which is not a member of baryon.interfaces."
                f"{contract.__name__}; did you mean {near[0]!r}?"
            )


def public_members(component: object) -> set[str]:
    """Return the names of attributes, methods and annotations without a leading underscore."""
    cls = component if isinstance(component, type) else type(component)
    annotated = {name for base in cls.__mro__ for name in vars(base).get("__annotations__", ())}
    return {name for name in {*dir(component), *annotated} if not name.startswith("_")}


def _is_overridden(component: object, name: str, contract: type) -> bool:
    cls = component if isinstance(component, type) else type(component)
    if not isinstance(component, type) and name in vars(component):
        return True
    member = getattr(cls, name, None)
    return member is not None and member is not getattr(contract, name, None)
