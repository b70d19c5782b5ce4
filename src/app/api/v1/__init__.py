from fastapi import APIRouter

from app.api.v1.routes import audit, keys, posts, users

router = APIRouter(prefix="/api/v1")
router.include_router(users.router)
router.include_router(posts.router)
router.include_router(audit.router)
router.include_router(keys.router)
