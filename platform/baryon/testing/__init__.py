"""The contract of plugins as checks: call them in a plugin's own tests.

`check_plugin` holds for every plugin; `check_training` takes one tiny step with the choices that it
is given; a plugin that brings a communicator calls `check_communicator` as well. A check raises
`AssertionError` or `BaryonError` with one line: who breaks the contract, and how.
"""

from baryon.testing.communicator import check_communicator
from baryon.testing.plugin import check_plugin
from baryon.testing.training import check_training

__all__ = ["check_communicator", "check_plugin", "check_training"]
