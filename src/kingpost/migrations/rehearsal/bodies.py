"""Bodies of requests, made from a JSON schema (draft 2020-12, as in OpenAPI 3.1)."""

import uuid
from collections.abc import Callable, Mapping
from typing import Any

_FORMATS = {
    "date-time": "2030-01-01T00:00:00Z",
    "date": "2030-01-01",
    "time": "12:00:00Z",
    "uri": "https://example.org/",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "duration": "P1D",
}
_DEEPEST = 6


class Unmakeable(ValueError):
    """There is no value for a part of a body, such as the identifier of something unknown."""


class Bodies:
    """Makes values for the schemas of one document.

    Args:
        document: OpenAPI, for its references.
        identifier: the value of a member such as `owner_id`; None if there is none.
        unique: a text that differs at each call.
    """

    def __init__(
        self,
        document: Mapping[str, Any],
        identifier: Callable[[str], Any],
        unique: Callable[[], str],
    ) -> None:
        self._document = document
        self._identifier = identifier
        self._unique = unique

    def make(self, schema: Mapping[str, Any], *, every: bool) -> Any:
        """A value.

        Args:
            schema: that it has to satisfy.
            every: whether it has every member, or only those that are required.

        Returns:
            What `json` can write.

        Raises:
            Unmakeable: a member that is needed has no value.
        """
        return self._value(schema, "", every, 0)

    def _value(self, schema: Mapping[str, Any], name: str, every: bool, depth: int) -> Any:
        schema = self._resolved(schema)
        if depth > _DEEPEST:
            raise Unmakeable(name)
        for key in ("const", "default"):
            if schema.get(key) is not None:
                return schema[key]
        if schema.get("enum"):
            return schema["enum"][0]
        if name.endswith("_id"):
            return self._known(name)
        kind = schema.get("type")
        if kind == "object" or "properties" in schema:
            return self._object(schema, every, depth)
        if kind == "array":
            items = schema.get("items", {})
            size = max(schema.get("minItems", 0), 1)
            return [self._value(items, name, every, depth + 1) for _ in range(size)]
        makers: dict[str, Callable[[], Any]] = {
            "boolean": lambda: True,
            "integer": lambda: _number(schema),
            "number": lambda: _number(schema),
            "null": lambda: None,
        }
        return makers.get(str(kind), lambda: self._text(schema, name))()

    def _resolved(self, schema: Mapping[str, Any]) -> Mapping[str, Any]:
        while "$ref" in schema:
            found: Any = self._document
            for part in str(schema["$ref"]).removeprefix("#/").split("/"):
                found = found[part]
            schema = found
        for key in ("anyOf", "oneOf"):
            if options := [one for one in schema.get(key, ()) if one.get("type") != "null"]:
                return self._resolved(options[0])
        if schema.get("allOf"):
            merged: dict[str, Any] = {}
            for part in schema["allOf"]:
                merged |= self._resolved(part)
            return merged
        return schema

    def _object(self, schema: Mapping[str, Any], every: bool, depth: int) -> dict[str, Any]:
        required, made = set(schema.get("required", ())), {}
        for name, member in schema.get("properties", {}).items():
            if not every and name not in required:
                continue
            try:
                made[name] = self._value(member, name, every, depth + 1)
            except Unmakeable:
                if name in required:
                    raise
        return made

    def _known(self, name: str) -> Any:
        found = self._identifier(name)
        if found is None:
            raise Unmakeable(name)
        return found

    def _text(self, schema: Mapping[str, Any], name: str) -> str:
        form = str(schema.get("format", ""))
        text = self._unique()
        if form == "uuid":
            text = str(uuid.uuid4())
        elif form == "email" or "email" in name:
            text = f"{text}@example.org"
        elif form in _FORMATS:
            return _FORMATS[form]
        text = text.ljust(schema.get("minLength", 0), "x")
        return text[-schema.get("maxLength", len(text)) :] if text else text


def _number(schema: Mapping[str, Any]) -> float:
    low, high = schema.get("minimum"), schema.get("maximum")
    if schema.get("exclusiveMinimum") is not None:
        low = schema["exclusiveMinimum"] + 1
    if low is None:
        low = 1 if high is None or high >= 1 else high
    step = schema.get("multipleOf")
    return low if not step else -(-low // step) * step
