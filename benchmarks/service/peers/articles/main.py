"""The way of the two articles: FastAPI, thin routes over services, repositories and the ORM."""

import logging
from collections.abc import Sequence
from uuid import UUID

from db import Post, User
from fastapi import Depends, FastAPI, Query, Request, status
from fastapi.responses import JSONResponse
from layers import PostService, UserService, get_post_service, get_user_service
from schemas import PostCreate, PostRead, UserRead
from sqlalchemy.exc import SQLAlchemyError

logger = logging.getLogger(__name__)
app = FastAPI()


@app.exception_handler(SQLAlchemyError)
async def sqlalchemy_exception_handler(request: Request, exc: SQLAlchemyError) -> JSONResponse:
    logger.error("Database error at %s", request.url, exc_info=exc)
    return JSONResponse(
        status_code=500, content={"detail": "Internal database error. Contact support."}
    )


@app.get("/users/{user_id}", response_model=UserRead)
async def get_user(user_id: UUID, service: UserService = Depends(get_user_service)) -> User:
    return await service.get(user_id)


@app.get("/posts", response_model=list[PostRead])
async def get_posts(
    limit: int = Query(20, ge=1, le=100), service: PostService = Depends(get_post_service)
) -> Sequence[Post]:
    return await service.newest(limit)


@app.post("/posts", response_model=PostRead, status_code=status.HTTP_201_CREATED)
async def create_post(data: PostCreate, service: PostService = Depends(get_post_service)) -> Post:
    return await service.create(data)
