"""The way of advanced-alchemy's documentation for Litestar: plugin, services, controllers.

Commits by its handler "autocommit", which runs before the answer is sent.
"""

import os
from typing import Annotated
from uuid import UUID

from advanced_alchemy.extensions.litestar import (
    AsyncSessionConfig,
    EngineConfig,
    SQLAlchemyAsyncConfig,
    SQLAlchemyPlugin,
    providers,
    repository,
    service,
)
from advanced_alchemy.filters import LimitOffset, OrderBy
from litestar import Controller, Litestar, get, post
from litestar.params import Parameter
from models import Post, User
from schemas import PostCreate, PostRead, UserRead

NEWEST_FIRST = (OrderBy("created_at", "desc"), OrderBy("id", "desc"))


class UserService(service.SQLAlchemyAsyncRepositoryService[User]):
    class Repo(repository.SQLAlchemyAsyncRepository[User]):
        model_type = User

    repository_type = Repo


class PostService(service.SQLAlchemyAsyncRepositoryService[Post]):
    class Repo(repository.SQLAlchemyAsyncRepository[Post]):
        model_type = Post

    repository_type = Repo


class UserController(Controller):
    path = "/users"
    dependencies = providers.create_service_dependencies(UserService, "users_service")

    @get("/{user_id:uuid}")
    async def get_user(self, users_service: UserService, user_id: UUID) -> UserRead:
        user = await users_service.get(user_id)
        return users_service.to_schema(user, schema_type=UserRead)


class PostController(Controller):
    path = "/posts"
    dependencies = providers.create_service_dependencies(PostService, "posts_service")

    @get()
    async def list_posts(
        self,
        posts_service: PostService,
        limit: Annotated[int, Parameter(ge=1, le=100)] = 20,
    ) -> list[PostRead]:
        # Without the total that the documentation counts along: it would read the whole table.
        posts = await posts_service.list(LimitOffset(limit, 0), *NEWEST_FIRST)
        return posts_service.to_schema(posts, schema_type=PostRead).items

    @post()
    async def create_post(self, posts_service: PostService, data: PostCreate) -> PostRead:
        post = await posts_service.create(data)
        return posts_service.to_schema(post, schema_type=PostRead)


def database_url() -> str:
    user, name = os.environ["PGUSER"], os.environ["PGDATABASE"]
    host, port = os.environ["PGHOST"], os.environ["PGPORT"]
    return f"postgresql+asyncpg://{user}@/{name}?host={host}&port={port}"


alchemy_config = SQLAlchemyAsyncConfig(
    connection_string=database_url(),
    before_send_handler="autocommit",
    session_config=AsyncSessionConfig(expire_on_commit=False),
    engine_config=EngineConfig(pool_size=int(os.environ["POOL_SIZE"]), max_overflow=0),
)

app = Litestar(
    route_handlers=[UserController, PostController],
    plugins=[SQLAlchemyPlugin(config=alchemy_config)],
)
