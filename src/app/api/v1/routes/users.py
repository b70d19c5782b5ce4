from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query, Response

from app.api.deps import MayReadPosts, MayReadUsers, MayWriteUsers, Page, Posts, Users
from app.schemas.posts import PostRead
from app.schemas.users import UserCreate, UserFilter, UserRead, UserUpdate, UserWithPosts
from kingpost.http import IfMatch, PageRead, Route, idempotent, problem_responses
from kingpost.http.types import Email, Id
from kingpost.problems import Conflict, NotFound
from kingpost.projection import Document

router = APIRouter(prefix="/users", tags=["users"], route_class=Route)


@router.post(
    "",
    status_code=201,
    dependencies=[idempotent()],
    responses=problem_responses(Conflict),
)
async def create_user(
    new: UserCreate, users: Users, response: Response, _: MayWriteUsers
) -> Document[UserRead]:
    user = await users.create(new)
    response.headers["Location"] = f"/api/v1/users/{user['id']}"
    return user


@router.get("")
async def list_users(
    filters: Annotated[UserFilter, Query()], page: Page, users: Users, _: MayReadUsers
) -> Document[PageRead[UserRead]]:
    return await users.page(filters, page)


@router.get("/by-email/{email:path}", responses=problem_responses(NotFound))
async def get_user_by_email(
    email: Annotated[Email, Path()], users: Users, _: MayReadUsers
) -> Document[UserRead]:
    return await users.get_by_email(email)


@router.get("/{user_id}", responses=problem_responses(NotFound))
async def get_user(
    user_id: Id, users: Users, _: MayReadUsers, include: Literal["posts"] | None = None
) -> Document[UserWithPosts] | Document[UserRead]:
    return await (users.get_with_posts(user_id) if include else users.get(user_id))


@router.patch("/{user_id}", responses=problem_responses(NotFound, Conflict))
async def update_user(
    user_id: Id, changes: UserUpdate, users: Users, match: IfMatch, _: MayWriteUsers
) -> Document[UserRead]:
    return await users.update(user_id, changes, match)


@router.delete("/{user_id}", status_code=204, responses=problem_responses(NotFound))
async def delete_user(user_id: Id, users: Users, match: IfMatch, _: MayWriteUsers) -> None:
    await users.delete(user_id, match)


@router.get("/{user_id}/posts", responses=problem_responses(NotFound))
async def list_posts_of_user(
    user_id: Id, page: Page, posts: Posts, _: MayReadPosts
) -> Document[PageRead[PostRead]]:
    return await posts.list_of_user(user_id, page)
