"""Reads the parameters of a path, query, header or cookie, each in the way it needs.

FastAPI looks at the declaration of a parameter for every request. Here that is done once: what
is as plain as most parameters are has a reader of its own, everything else is left to FastAPI.
"""

from collections.abc import Callable, Mapping
from enum import Enum
from types import NoneType
from typing import Any, Protocol, cast
from uuid import UUID

from fastapi import params
from fastapi._compat import (
    ModelField,
    field_annotation_is_sequence,
    get_cached_model_fields,
    get_missing_field_error,
)
from fastapi.dependencies.models import Dependant
from fastapi.dependencies.utils import (
    _get_param_aliases,
    _get_param_model,
    request_params_to_args,
)
from pydantic import ValidationError

from kingpost.http.planned.given import Given

Source = Callable[[Given], Mapping[str, Any]]

_COPIED_BY_IDENTITY = (NoneType, str, int, float, bool, bytes, Enum, UUID)


class Parameter(Protocol):
    """Reads one parameter of an endpoint or a dependency."""

    def read(self, given: Given, values: dict[str, Any]) -> None:
        """Adds the value to `values`, or what is wrong with it to `given.errors`."""
        ...


def parameters_of(dependant: Dependant) -> tuple[Parameter, ...]:
    """The readers of a dependant's own parameters, in FastAPI's order.

    Args:
        dependant: of an endpoint or a dependency.
    """
    groups: tuple[tuple[list[ModelField], Source], ...] = (
        (dependant.path_params, _path),
        (dependant.query_params, _query),
        (dependant.header_params, _headers),
        (dependant.cookie_params, _cookies),
    )
    return tuple(_parameter(field, source) for fields, source in groups for field in fields)


def validate(
    field: ModelField, value: Any, location: tuple[str, ...], given: Given
) -> tuple[bool, Any]:
    """Validates as FastAPI's fields do, without what a request that is right does not need.

    Args:
        field: of the parameter.
        value: as it was sent.
        location: where it was sent.
        given: gets the errors.

    Returns:
        Whether it is valid, and the validated value.
    """
    try:
        validator = field._type_adapter.validator
        return True, validator.validate_python(value, from_attributes=True)
    except ValidationError as error:
        given.errors.extend(
            {**found, "loc": location + found.get("loc", ())}
            for found in error.errors(include_url=False)
        )
        return False, None


class _Single:
    """A parameter with one name and one value, and a default that needs no copy."""

    def __init__(self, field: ModelField, source: Source) -> None:
        self._field = field
        self._name = field.name
        self._alias = _get_param_aliases(field)[0][1]
        self._source = source
        self._location = (_where(field), self._alias)
        self._is_required = field.field_info.is_required()
        self._default = field.default

    @classmethod
    def fits(cls, field: ModelField) -> bool:
        info = field.field_info
        return (
            _get_param_model(field) is None
            and len(_get_param_aliases(field)) == 1
            and not field_annotation_is_sequence(info.annotation)
            and info.default_factory is None
            and not info.validate_default
            and (info.is_required() or isinstance(field.default, _COPIED_BY_IDENTITY))
        )

    def read(self, given: Given, values: dict[str, Any]) -> None:
        value = self._source(given).get(self._alias)
        if value is not None:
            is_valid, value = validate(self._field, value, self._location, given)
            if is_valid:
                values[self._name] = value
        elif self._is_required:
            given.errors.append(get_missing_field_error(self._location))
        else:
            values[self._name] = self._default


class _QueryModel:
    """A model of the query whose fields all have one name and one value."""

    def __init__(self, field: ModelField, source: Source) -> None:
        self._field = field
        self._name = field.name
        self._otherwise = _Declared(field, source)

    @classmethod
    def fits(cls, field: ModelField) -> bool:
        model = _get_param_model(field)
        is_of_query = isinstance(field.field_info, params.Query)
        if model is None or not is_of_query or field.field_info.annotation != model:
            return False
        return all(
            len(aliases := _get_param_aliases(inner)) == 1
            and aliases[0][0] == aliases[0][1]
            and not field_annotation_is_sequence(inner.field_info.annotation)
            for inner in get_cached_model_fields(cast(Any, model))
        )

    def read(self, given: Given, values: dict[str, Any]) -> None:
        if given.unique_query is None:
            self._otherwise.read(given, values)
            return
        is_valid, value = validate(self._field, dict(given.unique_query), ("query",), given)
        if is_valid:
            values[self._name] = value


class _Declared:
    """Any other parameter, read by FastAPI itself."""

    def __init__(self, field: ModelField, source: Source) -> None:
        self._fields = [field]
        self._source = _all_of_the_query if source is _query else source

    def read(self, given: Given, values: dict[str, Any]) -> None:
        found, errors = request_params_to_args(self._fields, self._source(given))
        values.update(found)
        given.errors.extend(errors)


def _parameter(field: ModelField, source: Source) -> Parameter:
    for kind in (_Single, _QueryModel):
        if kind.fits(field):
            return kind(field, source)
    return _Declared(field, source)


def _where(field: ModelField) -> str:
    assert isinstance(field.field_info, params.Param)  # noqa: S101 - FastAPI sees to it
    return field.field_info.in_.value


def _path(given: Given) -> Mapping[str, Any]:
    return given.request.path_params


def _query(given: Given) -> Mapping[str, Any]:
    return given.query


def _all_of_the_query(given: Given) -> Mapping[str, Any]:
    return given.request.query_params


def _headers(given: Given) -> Mapping[str, Any]:
    return given.request.headers


def _cookies(given: Given) -> Mapping[str, Any]:
    return given.request.cookies
