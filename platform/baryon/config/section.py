"""Check one section of a composed config against its schema."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from baryon.config.errors import one_line
from baryon.errors import BaryonError

if TYPE_CHECKING:
    from omegaconf import DictConfig


def section(composed: DictConfig, name: str, schema: type[Any]) -> Any:
    """Return the section `name` as an instance of the dataclass `schema`.

    Raises `BaryonError` for a key that the schema lacks, or a value of another type or range.
    """
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    try:
        # Under its own name, so that a message says `launch.jobs` and not `jobs`.
        typed = OmegaConf.create({name: OmegaConf.structured(schema)})
        values = OmegaConf.to_container(composed[name], resolve=True)
        checked: Any = OmegaConf.merge(typed, {name: values})
        return OmegaConf.to_object(checked[name])
    except OmegaConfBaseException as error:
        raise BaryonError(one_line(error)) from error
