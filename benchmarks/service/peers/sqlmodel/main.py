"""The full-stack template's way with FastAPI: a synchronous engine, `SessionDep`, `def` routes."""

import uuid
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager
from typing import Annotated, Any

from anyio.to_thread import current_default_thread_limiter
from fastapi import Depends, FastAPI, HTTPException, Query
from models import Post, PostCreate, PostPublic, PostsPublic, User, UserPublic
from pydantic_settings import BaseSettings
from sqlalchemy.orm import joinedload
from sqlmodel import Session, col, create_engine, select


class Settings(BaseSettings):
    PGHOST: str
    PGPORT: int
    PGDATABASE: str
    PGUSER: str
    POOL_SIZE: int = 10

    @property
    def SQLALCHEMY_DATABASE_URI(self) -> str:  # noqa: N802 - the template writes settings so
        where = f"host={self.PGHOST}&port={self.PGPORT}"
        return f"postgresql+psycopg://{self.PGUSER}@/{self.PGDATABASE}?{where}"


settings = Settings()
engine = create_engine(
    settings.SQLALCHEMY_DATABASE_URI, pool_size=settings.POOL_SIZE, max_overflow=0
)


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncGenerator[None, None]:
    # Not the template's, but in its favour, as Starlette's documentation shows: with 40 threads,
    # 40 requests that wait for a connection lock out those that have one and need a thread to end.
    current_default_thread_limiter().total_tokens = 500
    yield


app = FastAPI(lifespan=lifespan)


def get_db() -> Generator[Session, None, None]:
    with Session(engine) as session:
        yield session


SessionDep = Annotated[Session, Depends(get_db)]


@app.get("/users/{user_id}", response_model=UserPublic)
def read_user_by_id(user_id: uuid.UUID, session: SessionDep) -> Any:
    user = session.get(User, user_id)
    if user is None:
        raise HTTPException(status_code=404, detail="User not found")
    return user


@app.get("/posts", response_model=PostsPublic)
def read_posts(session: SessionDep, limit: Annotated[int, Query(ge=1, le=100)] = 20) -> Any:
    # Without the count of all rows that the template sends along: it would read the whole table.
    statement = (
        select(Post)
        .options(joinedload(Post.author, innerjoin=True))
        .order_by(col(Post.created_at).desc(), col(Post.id).desc())
        .limit(limit)
    )
    return PostsPublic(data=session.exec(statement).all())


@app.post("/posts", response_model=PostPublic, status_code=201)
def create_post(*, session: SessionDep, post_in: PostCreate) -> Any:
    post = Post.model_validate(post_in)
    session.add(post)
    session.commit()
    session.refresh(post)
    return post
