"""Dependencies that every service has."""

from typing import Annotated

from fastapi import Depends
from starlette.requests import Request

from kingpost.context import current_request
from kingpost.database import UnitOfWork
from kingpost.http.pages import Paging, paging
from kingpost.http.runtime import runtime_of
from kingpost.http.security import PRINCIPAL_KEY
from kingpost.security import Principal


async def unit_of_work(request: Request) -> UnitOfWork:
    """The unit of work of a request, signed with who asks and which request it is."""
    principal: Principal | None = request.scope.get(PRINCIPAL_KEY)
    context = current_request.get()
    return runtime_of(request).database.unit_of_work(
        actor=principal.actor if principal else None,
        request_id=context.request_id if context else None,
    )


Work = Annotated[UnitOfWork, Depends(unit_of_work)]
"""The unit of work of the request."""

Page = Annotated[Paging, Depends(paging)]
"""The page that the request asks for."""
