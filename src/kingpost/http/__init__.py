"""From HTTP to a use case and back: routes, strict parsing, problems, the API reference."""

from kingpost.http.dependencies import Page, Work, unit_of_work
from kingpost.http.idempotent import idempotent, unkeyed
from kingpost.http.install import install
from kingpost.http.openapi import problem_responses
from kingpost.http.pages import PageRead, Paging
from kingpost.http.planned import PlannedRoute
from kingpost.http.preconditions import IfMatch, Precondition, if_match
from kingpost.http.rendering import problem_response
from kingpost.http.routing import Route, RouteChecks
from kingpost.http.runtime import KeyAdmin, KeyView, NewKey, Runtime, runtime_of
from kingpost.http.security import needs
from kingpost.http.template import route_template

__all__ = [
    "IfMatch",
    "KeyAdmin",
    "KeyView",
    "NewKey",
    "Page",
    "PageRead",
    "Paging",
    "PlannedRoute",
    "Precondition",
    "Route",
    "RouteChecks",
    "Runtime",
    "Work",
    "idempotent",
    "if_match",
    "install",
    "needs",
    "problem_response",
    "problem_responses",
    "route_template",
    "runtime_of",
    "unit_of_work",
    "unkeyed",
]
