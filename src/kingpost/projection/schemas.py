"""Reads a Pydantic schema: which members its JSON has, and what each of them is."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from kingpost.projection.errors import Unfit
from kingpost.projection.marks import is_kept_by

Node = Mapping[str, Any]
"""A part of a schema as `pydantic_core.core_schema` describes it."""

_CHECKS = {"function-before", "function-after", "function-wrap"}
_CHANGES_TEXT = {
    "strip_whitespace": "str_strip_whitespace",
    "to_lower": "str_to_lower",
    "to_upper": "str_to_upper",
}
_PLAIN_CONFIG: Mapping[str, object] = {
    **dict.fromkeys(_CHANGES_TEXT.values(), False),
    "ser_json_temporal": "iso8601",
    "ser_json_inf_nan": "null",
}


@dataclass(frozen=True, slots=True)
class Member:
    """One member of the JSON object.

    Attributes:
        field: its name in the schema.
        key: its name in the JSON, which is the alias if there is one, as FastAPI has it.
        attributes: where the model may have it, the likeliest first.
        node: what it is.
        computed: it is a computed field.
    """

    field: str
    key: str
    attributes: tuple[str, ...]
    node: Node
    computed: bool = False


@dataclass(frozen=True, slots=True)
class Value:
    """What the JSON of a member looks like.

    Attributes:
        kind: the type of Pydantic's core schema: `str`, `uuid`, `datetime`, `model` …
        node: that schema, for what else it says.
        nullable: it may be null.
        trusted: an SQL expression does what validators would have done.
    """

    kind: str
    node: Node
    nullable: bool = False
    trusted: bool = False


class Schema:
    """A schema, taken apart.

    Args:
        schema: the Pydantic model.

    Raises:
        Unfit: it is written by code of its own.
    """

    def __init__(self, schema: type[BaseModel]) -> None:
        node: Node = schema.__pydantic_core_schema__
        self._definitions: dict[str, Node] = {}
        node = self._resolved(node)
        while node["type"] != "model":
            _refuse_code(node)
            if node["type"] not in _CHECKS:
                raise Unfit(f"a {node['type']} is no model")
            node = self._resolved(node["schema"])
        _refuse_code(node)
        _refuse_settings(node)
        fields: Node = node["schema"]
        while fields["type"] in _CHECKS:
            _refuse_code(fields)
            fields = fields["schema"]
        self._node = fields

    def members(self) -> list[Member]:
        """The members of the JSON, in their order; what is excluded is not among them."""
        fields = [
            _member(name, node)
            for name, node in self._node["fields"].items()
            if not node.get("serialization_exclude")
        ]
        return fields + [_computed(node) for node in self._node.get("computed_fields", ())]

    def value(self, node: Node, *, trusted: bool = False) -> Value:
        """What a member is, below defaults, checks and null.

        Args:
            node: of the member, or of an item of its list.
            trusted: the value was given as an SQL expression, so that what validators would have
                done to it does not matter.

        Returns:
            The value.

        Raises:
            Unfit: Python code decides over the value.
        """
        node, nullable = self._resolved(node), False
        while node["type"] in {"default", "nullable", "model-field", "computed-field", *_CHECKS}:
            if written := _written_as(node, trusted=trusted):
                break
            _refuse_code(node, trusted=trusted)
            nullable = nullable or node["type"] == "nullable"
            node = self._resolved(node["schema"])
        if written := _written_as(node, trusted=trusted):
            return self.value(written, trusted=trusted)
        if _is_any_json(node):
            node = {"type": "any"}
        _refuse_code(node, trusted=trusted)
        return Value(node["type"], node, nullable, trusted)

    def _resolved(self, node: Node) -> Node:
        while node["type"] in {"definitions", "definition-ref"}:
            if node["type"] == "definitions":
                self._definitions |= {each["ref"]: each for each in node["definitions"]}
                node = node["schema"]
            else:
                node = self._definitions[node["schema_ref"]]
        return node


def _member(name: str, node: Node) -> Member:
    alias = node.get("validation_alias")
    paths = alias if isinstance(alias, list) and isinstance(alias[0], list) else [[alias]]
    aliases = (path[0] for path in paths if len(path) == 1 and isinstance(path[0], str))
    return Member(name, node.get("serialization_alias", name), (*aliases, name), node)


def _computed(node: Node) -> Member:
    name = node["property_name"]
    below = {"type": "computed-field", "schema": node["return_schema"]}
    return Member(name, node.get("alias", name), (), below, computed=True)


def _written_as(node: Node, *, trusted: bool) -> Node | None:
    """What a serializer says that it returns; it is believed if SQL does its work."""
    serializer: Node = node.get("serialization", {})
    written: Node | None = serializer.get("return_schema")
    return written if trusted else None


def _refuse_code(node: Node, *, trusted: bool = False) -> None:
    if node["type"] in {*_CHECKS, "function-plain"} and not trusted:
        function = node["function"]["function"]
        if not is_kept_by(function):
            name = getattr(function, "__name__", repr(function))
            raise Unfit(
                f"the validator {name} runs in Python and may change it; "
                "mark it with @keeps_value if it does not"
            )
    if "serialization" in node:
        raise Unfit("a serializer in Python writes it")
    if "serialization_exclude_if" in node:
        raise Unfit("`exclude_if` decides in Python whether it is shown")
    if node.get("post_init"):
        raise Unfit("`model_post_init` runs in Python")
    if node["type"] == "str":
        for setting in _CHANGES_TEXT.keys() & node.keys():
            if node[setting]:
                raise Unfit(f"{setting} changes it in Python")


def _refuse_settings(model: Node) -> None:
    if model.get("root_model"):
        raise Unfit("a root model has no members")
    config: Node = model.get("config", {})
    for name, plain in _PLAIN_CONFIG.items():
        if config.get(name, plain) != plain:
            raise Unfit(f"{name} in its model_config changes values in Python")


def _is_any_json(node: Node) -> bool:
    """`pydantic.JsonValue`."""
    checked: Node = node.get("python_schema", {})
    return checked.get("custom_error_type") == "invalid-json-value"
