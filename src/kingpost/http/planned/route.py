"""A FastAPI route that carries out a plan instead of finding out every time what to do."""

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi.routing import APIRoute, _effective_route_context_var
from starlette.requests import Request
from starlette.responses import Response

from kingpost.http.planned.plan import Plan

Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class PlannedRoute(APIRoute):
    """FastAPI's route with a plan made at start: the same answers for less work.

    Use it as `APIRouter(route_class=PlannedRoute)`. What a plan does not know is served by
    FastAPI's own handler, unchanged: generator dependencies, background tasks, forms and files,
    streams, limits of concurrency. So is every request while dependencies are overridden, while
    FastAPI's telemetry is on, or while a tool has replaced the functions it observes.
    """

    def get_route_handler(self) -> Handler:
        """The handler that FastAPI calls; made once where the route is, and per inclusion."""
        own = self.unplanned_handler()
        plan = Plan.of(self.as_included)
        if plan is None:
            return own
        planned = self.planned_handler(plan)
        overruled = plan.is_overruled

        async def handle(request: Request) -> Response:
            # A request of another class may read itself in its own way.
            if type(request) is not Request or overruled(request.scope):
                return await own(request)
            return await planned(request)

        return handle

    @property
    def as_included(self) -> Any:
        """While a handler is made: the route with all that the routers around it add."""
        included = _effective_route_context_var.get()
        return self if included is None or included.original_route is not self else included

    def flat(self, included: Any) -> tuple[Plan, Handler] | None:
        """The plan, and a handler that needs nothing of what FastAPI puts around that of a route.

        Args:
            included: the route with all that the routers around it add.

        Returns:
            Both, for requests that do not overrule the plan; None if there is no plan, or if this
            class has its own ways of matching or handling.
        """
        is_ours = all(
            getattr(type(self), name) is getattr(PlannedRoute, name)
            for name in ("get_route_handler", "matches", "handle")
        )
        plan = Plan.of(included) if is_ours else None
        return None if plan is None else (plan, self.planned_handler(plan))

    def planned_handler(self, plan: Plan) -> Handler:
        """The handler for requests that the plan serves.

        Args:
            plan: of this route, as it is included.
        """

        async def handle(request: Request) -> Response:
            return await plan.answer(request, await plan.body_of(request))

        return handle

    def unplanned_handler(self) -> Handler:
        """FastAPI's own handler, for what no plan is made for."""
        return super().get_route_handler()
