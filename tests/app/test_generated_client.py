"""A client that openapi-python-client generates can do everything that the service does."""

import importlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from kingpost.testing.process import ServerProcess


class GeneratedClient:
    """The operations of a generated package, by their ids.

    Attributes:
        ids: of all operations in the document.
        called: of those that were called.
    """

    def __init__(self, package: str, document: dict[str, Any], server: ServerProcess) -> None:
        self.package = package
        self.models = self.module("models")
        self.ids = {
            operation["operationId"]: operation["tags"][0]
            for item in document["paths"].values()
            for operation in item.values()
        }
        self.called: set[str] = set()
        self.client = self.module("client").AuthenticatedClient(
            server.url, token=server.key, httpx_args={"trust_env": False}, timeout=60
        )

    def module(self, name: str) -> ModuleType:
        return importlib.import_module(f"{self.package}.{name}")

    def call(self, operation: str, status: int, kind: str | None, *args: Any, **named: Any) -> Any:
        """Calls an operation and checks the status and the type of what came back."""
        module = self.module(f"api.{self.ids[operation]}.{operation}")
        answer = module.sync_detailed(*args, client=self.client, **named)
        self.called.add(operation)
        assert answer.status_code == status, answer.content
        assert type(answer.parsed).__name__ == (kind or "NoneType")
        return answer.parsed


@pytest.fixture
def generated(server: ServerProcess, tmp_path: Path) -> Iterator[GeneratedClient]:
    document = httpx.get(f"{server.url}/openapi.json", trust_env=False, timeout=60).json()
    package = f"generated_{uuid4().hex}"
    generate(document, tmp_path, package)
    sys.path.insert(0, str(tmp_path))
    client = GeneratedClient(package, document, server)
    with client.client:
        yield client
    sys.path.remove(str(tmp_path))


def generate(document: dict[str, Any], folder: Path, package: str) -> None:
    (folder / "document.json").write_text(json.dumps(document))
    (folder / "config.yml").write_text("post_hooks: []")
    subprocess.run(
        [
            str(Path(sys.executable).with_name("openapi-python-client")), "generate",
            "--path", str(folder / "document.json"), "--config", str(folder / "config.yml"),
            "--meta", "none", "--output-path", str(folder / package), "--fail-on-warning",
        ],
        check=True,
        capture_output=True,
    )  # fmt: skip


def test_a_generated_client_drives_every_operation(generated: GeneratedClient) -> None:
    user = use_users(generated)
    use_posts(generated, user)
    use_keys(generated)
    use_audit(generated, user)
    generated.call("delete_user", 204, None, user.id, if_match="*")
    problem = generated.call("get_user", 404, "Problem", user.id)

    assert problem.type_ == "/problems/not-found"
    assert generated.called == set(generated.ids)


def use_users(generated: GeneratedClient) -> Any:
    call, models = generated.call, generated.models
    email = f"{uuid4().hex}@example.com"
    new = models.UserCreate(email=email, name="Ada")

    user = call("create_user", 201, "UserRead", body=new)
    taken = call("create_user", 409, "Problem", body=new)
    changed = call(
        "update_user", 200, "UserRead", user.id, body=models.UserUpdate(name=None), if_match="*"
    )
    page = call("list_users", 200, "PageOfUserRead", email=email, is_active=True, limit=1)

    assert isinstance(user.id, UUID)
    assert (user.email, user.name, changed.name) == (email, "Ada", None)
    assert taken.errors[0].pointer == "/body/email"
    assert page.items == [changed] == [call("get_user_by_email", 200, "UserRead", email)]
    assert call("get_user", 200, "UserRead", user.id) == changed
    return changed


def use_posts(generated: GeneratedClient, user: Any) -> None:
    call, models = generated.call, generated.models
    new = models.PostCreate(title="On engines", content="They weave.", author_id=user.id)

    post = call("create_post", 201, "PostRead", body=new)
    batch = call("create_posts", 201, "PostBatchRead", body=models.PostBatch(items=[new, new]))
    title = models.PostUpdate(title="On looms")
    changed = call("update_post", 200, "PostRead", post.id, body=title, if_match="*")
    first = call("list_posts", 200, "PageOfPostRead", author_id=user.id, limit=2)
    second = call(
        "list_posts", 200, "PageOfPostRead", author_id=user.id, limit=2, cursor=first.next_
    )
    full = call("get_user", 200, "UserWithPosts", user.id, include="posts")

    assert (changed.title, changed.content, changed.author.id) == (
        "On looms",
        "They weave.",
        user.id,
    )
    assert [item.id for item in first.items + second.items] == [
        batch.items[1].id, batch.items[0].id, post.id,
    ]  # fmt: skip
    assert len(call("list_posts_of_user", 200, "PageOfPostRead", user.id).items) == 3
    assert len(full.posts) == 3
    assert call("get_post", 200, "PostRead", post.id) == changed
    call("delete_post", 204, None, post.id, if_match="*")
    call("get_post", 404, "Problem", post.id)


def use_keys(generated: GeneratedClient) -> None:
    call, models = generated.call, generated.models
    scopes = [models.KeyCreateScopesItem.POSTSREAD]
    new = models.KeyCreate(name="reader", scopes=scopes, expires_in_days=1)

    key = call("create_key", 201, "KeyCreated", body=new)
    soon = models.KeyRotation(overlap_seconds=60)
    successor = call("rotate_key", 201, "KeyCreated", key.id, body=soon)
    revoked = call("revoke_key", 200, "KeyRead", key.id)

    assert successor.key != key.key
    assert revoked.revoked_at is not None
    assert call("get_key", 200, "KeyRead", key.id).revoked_at == revoked.revoked_at
    assert call("list_keys", 200, "PageOfKeyRead", limit=1).items[0].id == successor.id


def use_audit(generated: GeneratedClient, user: Any) -> None:
    page = generated.call("list_audit", 200, "PageOfAuditRead", entity_id=user.id)

    assert [entry.action.value for entry in page.items] == ["update", "create"]
    assert page.items[0].changes["name"] == ["Ada", None]
