"""Dependencies by name: with these the signature of a route reads as a sentence."""

from collections.abc import Callable
from typing import Annotated

from fastapi import Depends
from starlette.requests import Request

from app.services.audit import AuditService
from app.services.keys import KeyService
from app.services.posts import PostService
from app.services.users import UserService
from kingpost.database import UnitOfWork
from kingpost.http import Page, Work, needs
from kingpost.security import Principal


async def user_service(work: Work) -> UserService:
    return UserService(work)


async def post_service(work: Work) -> PostService:
    return PostService(work)


async def audit_service(work: Work) -> AuditService:
    return AuditService(work)


async def key_service(request: Request, work: Work) -> KeyService:
    make: Callable[[UnitOfWork], KeyService] = request.app.state.key_service
    return make(work)


Users = Annotated[UserService, Depends(user_service)]
Posts = Annotated[PostService, Depends(post_service)]
Audit = Annotated[AuditService, Depends(audit_service)]
Keys = Annotated[KeyService, Depends(key_service)]

MayReadUsers = Annotated[Principal, needs("users:read")]
MayWriteUsers = Annotated[Principal, needs("users:write")]
MayReadPosts = Annotated[Principal, needs("posts:read")]
MayWritePosts = Annotated[Principal, needs("posts:write")]
MayReadAudit = Annotated[Principal, needs("audit:read")]
MayManageKeys = Annotated[Principal, needs("keys:admin")]

__all__ = [
    "Audit",
    "Keys",
    "MayManageKeys",
    "MayReadAudit",
    "MayReadPosts",
    "MayReadUsers",
    "MayWritePosts",
    "MayWriteUsers",
    "Page",
    "Posts",
    "Users",
]
