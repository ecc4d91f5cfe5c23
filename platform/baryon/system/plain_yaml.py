"""Load YAML with limits: a SafeLoader that takes neither tags nor anchors nor aliases."""

from __future__ import annotations

import re
from typing import Any, NoReturn

import yaml
from yaml.constructor import ConstructorError

from baryon.system.plain_limits import DEEPEST, LARGEST_INTEGER, LONGEST_NUMBER

UNRESOLVED = ("timestamp", "merge", "value", "float")
"""Tags of YAML 1.1 that plain scalars do not get here; those of floats get `FLOAT` instead."""
FLOAT = re.compile(
    r"""^(?:
    [-+]?(?: [0-9][0-9_]*\.[0-9_]*(?:[eE][-+]?[0-9]+)?
           | \.[0-9][0-9_]*(?:[eE][-+]?[0-9]+)?
           | [0-9][0-9_]*[eE][-+]?[0-9]+
           | \.(?:inf|Inf|INF) )
    | \.(?:nan|NaN|NAN)
    )$""",
    re.VERBOSE,
)
"""Floats as YAML 1.2 and OmegaConf have them; YAML 1.1 takes 1e-3 for a text."""


class PlainLoader(yaml.SafeLoader):  # type: ignore[misc]
    """Build mappings, lists, texts, numbers, true, false and null, within the limits."""

    depth = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        """Compose a node, and refuse what could refer to another one or build an object."""
        event = self.peek_event()
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None) is not None:
            _refuse("an anchor or alias", event)
        if getattr(event, "tag", None) is not None:
            _refuse(f"the tag {event.tag:.80}", event)
        if self.depth > DEEPEST:
            _refuse(f"nested more than {DEEPEST} deep", event)
        self.depth += 1
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node

    def construct_yaml_number(self, node: Any) -> int | float:
        """Construct a number of limited length and size."""
        if len(node.value) > LONGEST_NUMBER:
            _refuse(f"a number of {len(node.value)} characters", node)
        if node.tag.endswith("float"):
            return float(self.construct_yaml_float(node))
        if abs(value := int(self.construct_yaml_int(node))) >= LARGEST_INTEGER:
            _refuse("an integer too large", node)
        return value

    def construct_yaml_mapping(self, node: Any) -> dict[Any, Any]:
        """Construct a mapping whose keys are all texts or all integers, none given twice."""
        values: dict[Any, Any] = {}
        for key_node, value_node in node.value:
            key = self._key(key_node)
            if key in values:
                _refuse(f"{key!r:.80} is given twice", key_node)
            values[key] = self.construct_object(value_node, deep=True)
        if len({type(key) for key in values}) > 1:
            _refuse("texts and numbers as keys of one mapping", node)
        return values

    def _key(self, node: Any) -> str | int:
        key = self.construct_object(node) if isinstance(node, yaml.ScalarNode) else None
        if not isinstance(key, str | int) or isinstance(key, bool):
            _refuse("a key that is no text", node)
        return key


def _refuse(problem: str, place: Any) -> NoReturn:
    raise ConstructorError(None, None, problem, place.start_mark)


PlainLoader.yaml_implicit_resolvers = {
    first: [pair for pair in pairs if pair[0].rpartition(":")[2] not in UNRESOLVED]
    for first, pairs in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
PlainLoader.add_implicit_resolver("tag:yaml.org,2002:float", FLOAT, list("-+0123456789."))
for kind in ("int", "float"):
    PlainLoader.add_constructor(f"tag:yaml.org,2002:{kind}", PlainLoader.construct_yaml_number)
PlainLoader.add_constructor("tag:yaml.org,2002:map", PlainLoader.construct_yaml_mapping)
