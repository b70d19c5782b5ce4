"""The dependencies of a route as a flat list: each step calls one, after those it needs."""

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

from fastapi.dependencies.models import (
    Dependant,
    _get_cache_key,
    _get_oauth_scopes,
    _is_async_gen_callable,
    _is_coroutine_callable,
    _is_gen_callable,
)
from fastapi.security import SecurityScopes

from kingpost.http.planned.bodies import Body
from kingpost.http.planned.given import Given
from kingpost.http.planned.parameters import Parameter, parameters_of


class Unplanned(Exception):
    """A route uses something that only FastAPI's own handler knows."""


@dataclass(slots=True)
class Step:
    """A call of a dependency, or of the endpoint itself.

    Attributes:
        number: of this step, which is also where its result is kept.
        dependant: what FastAPI knows of the call; the callable is looked up at every request,
            since tools for observation replace it.
        is_async: whether the callable is awaited; it runs in a thread otherwise.
        needs: names of arguments, and the steps whose results they are.
        parameters: read the other arguments.
        body: reads those of the body.
        requests: names of the arguments that are the request.
        response: name of the argument that is the response.
        scopes: name of the argument that tells the scopes, and these.
        below: this step and all steps whose failure is its own.
        reuse: a step that has made the same call already; None makes the call.
    """

    number: int
    dependant: Any
    is_async: bool
    needs: tuple[tuple[str, int], ...]
    parameters: tuple[Parameter, ...]
    body: Body | None
    requests: tuple[str, ...]
    response: str | None
    scopes: tuple[str, list[str]] | None
    below: frozenset[int]
    reuse: int | None

    def arguments(self, given: Given, results: list[Any]) -> dict[str, Any]:
        """The arguments of the call, but for those of the body."""
        values = {name: results[number] for name, number in self.needs}
        for parameter in self.parameters:
            parameter.read(given, values)
        for name in self.requests:
            values[name] = given.request
        if self.response is not None:
            values[self.response] = given.response
        if self.scopes is not None:
            name, scopes = self.scopes
            values[name] = SecurityScopes(scopes=[*scopes])
        return values


@dataclass(frozen=True, slots=True)
class Steps:
    """What is called for a request.

    Attributes:
        steps: in the order of the calls; the endpoint is the last one.
        order: in which their errors are told; a dependency that is needed twice tells them twice.
        wants_response: whether anything sets headers or a status.
    """

    steps: tuple[Step, ...]
    order: tuple[int, ...]
    wants_response: bool


def steps_of(dependant: Dependant, *, is_embedded: bool) -> Steps:
    """Flattens the dependencies of an endpoint.

    Args:
        dependant: of the endpoint.
        is_embedded: whether the body parameters are members of one JSON object.

    Returns:
        The steps.

    Raises:
        Unplanned: something among them is left to FastAPI.
    """
    flat = _Flattening(is_embedded)
    endpoint = flat.append(dependant)
    return Steps(
        tuple(flat.steps), flat.orders[endpoint], any(step.response for step in flat.steps)
    )


class _Flattening:
    """Walks the tree of dependencies in the order in which FastAPI calls them."""

    def __init__(self, is_embedded: bool) -> None:
        self.steps: list[Step] = []
        self.orders: dict[int, tuple[int, ...]] = {}
        self._is_embedded = is_embedded
        self._called: dict[Hashable, int] = {}

    def add(self, dependant: Dependant) -> int:
        """Adds what a dependency needs and the call of it; returns the number of its step."""
        key = _get_cache_key(dependant=dependant)
        known = self._called.get(key) if dependant.use_cache else None
        if known is not None and self._calls_nothing(dependant):
            return known
        number = self.append(dependant, known)
        self._called.setdefault(key, number)
        return number

    def append(self, dependant: Dependant, reuse: int | None = None) -> int:
        """The same for an endpoint, whose result nobody uses again."""
        _check(dependant)
        needs = [(below.name, self.add(below)) for below in _called_ones(dependant)]
        order = tuple(error for _, number in needs for error in self.orders[number])
        named = tuple((name, number) for name, number in needs if name is not None)
        self.orders[len(self.steps)] = (*order, len(self.steps))
        self.steps.append(self._step(dependant, named, reuse))
        return len(self.steps) - 1

    def _calls_nothing(self, dependant: Dependant) -> bool:
        """Whether all below it has been called already, and may be used again."""
        return all(
            dependency.use_cache
            and _get_cache_key(dependant=dependency) in self._called
            and self._calls_nothing(dependency)
            for dependency in dependant.dependencies
        )

    def _step(
        self, dependant: Dependant, needs: tuple[tuple[str, int], ...], reuse: int | None
    ) -> Step:
        number = len(self.steps)
        requests = (dependant.http_connection_param_name, dependant.request_param_name)
        scopes = dependant.security_scopes_param_name
        return Step(
            number=number,
            dependant=dependant,
            is_async=_is_coroutine_callable(dependant.call),
            needs=needs,
            parameters=parameters_of(dependant),
            body=Body(dependant, is_embedded=self._is_embedded) if dependant.body_params else None,
            requests=tuple(name for name in requests if name),
            response=dependant.response_param_name,
            scopes=(scopes, _get_oauth_scopes(dependant=dependant)) if scopes else None,
            below=frozenset(self.orders[number]),
            reuse=reuse,
        )


def _called_ones(dependant: Dependant) -> list[Dependant]:
    """Its dependencies without marks, which only say something about the route."""
    return [below for below in dependant.dependencies if not getattr(below.call, "is_mark", False)]


def _check(dependant: Dependant) -> None:
    is_generator = _is_gen_callable(dependant.call) or _is_async_gen_callable(dependant.call)
    if (
        is_generator
        or dependant.call is None
        or dependant.websocket_param_name
        or dependant.background_tasks_param_name
        or dependant.concurrency is not None
    ):
        raise Unplanned
