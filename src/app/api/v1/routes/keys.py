from fastapi import APIRouter, Response

from app.api.deps import Keys, MayManageKeys, Page
from app.schemas.keys import KeyCreate, KeyCreated, KeyRead, KeyRotation
from kingpost.http import PageRead, Route, idempotent, problem_responses
from kingpost.http.types import Id
from kingpost.problems import Conflict, NotFound
from kingpost.projection import Document

router = APIRouter(prefix="/keys", tags=["keys"], route_class=Route)


# Sealed, as the answer shows the key.
@router.post("", status_code=201, dependencies=[idempotent(sealed=True)])
async def create_key(
    new: KeyCreate, keys: Keys, response: Response, _: MayManageKeys
) -> KeyCreated:
    key = await keys.create(new)
    response.headers["Location"] = f"/api/v1/keys/{key.id}"
    return key


@router.get("")
async def list_keys(page: Page, keys: Keys, _: MayManageKeys) -> Document[PageRead[KeyRead]]:
    return await keys.page(page)


@router.get("/{key_id}", responses=problem_responses(NotFound))
async def get_key(key_id: Id, keys: Keys, _: MayManageKeys) -> Document[KeyRead]:
    return await keys.get(key_id)


# Not DELETE: a revoked key can still be seen, and who used it when.
@router.post(
    "/{key_id}/revocation",
    dependencies=[idempotent()],
    responses=problem_responses(NotFound, Conflict),
)
async def revoke_key(key_id: Id, keys: Keys, principal: MayManageKeys) -> KeyRead:
    return await keys.revoke(key_id, principal.key_id)


@router.post(
    "/{key_id}/rotation",
    status_code=201,
    dependencies=[idempotent(sealed=True)],
    responses=problem_responses(NotFound, Conflict),
)
async def rotate_key(
    key_id: Id, rotation: KeyRotation, keys: Keys, response: Response, _: MayManageKeys
) -> KeyCreated:
    key = await keys.rotate(key_id, rotation)
    response.headers["Location"] = f"/api/v1/keys/{key.id}"
    return key
