"""FastAPI routes whose work for a request is planned when they are made."""

from kingpost.http.planned.plan import Plan
from kingpost.http.planned.route import Handler, PlannedRoute

__all__ = ["Handler", "Plan", "PlannedRoute"]
