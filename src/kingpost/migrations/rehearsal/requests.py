"""Requests to a service, derived from its OpenAPI document."""

import json
import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from kingpost.migrations.rehearsal.bodies import Bodies, Unmakeable

_MARK = "rehearsed-"
"""Begins the texts of what is made, which another client is about to delete again."""

_PARAMETER = re.compile(r"\{([^}:]+)(?::[^}]*)?\}")


@dataclass(frozen=True, slots=True)
class Answer:
    """What the service said.

    Args:
        status: of HTTP; 0 if the connection broke.
        body: its JSON; None without any.
        etag: of the resource; empty if there is none.
    """

    status: int
    body: Any = None
    etag: str = ""


Send = Callable[[str, str, str, Any, Mapping[str, str]], Answer]
"""Takes a label such as `GET /things/{id}`, the method, the path, the body and headers."""


@dataclass(frozen=True, slots=True)
class Resource:
    """A collection whose members can be made and deleted.

    Args:
        path: of the collection.
        item: template of a member's path.
        create: schema of the body of POST.
        update: schema of the body of PATCH; None if there is none.
        read: whether a member can be read.
    """

    path: str
    item: str
    create: Mapping[str, Any]
    update: Mapping[str, Any] | None
    read: bool


@dataclass(slots=True)
class Round:
    """Sends one request of each kind, over and over: lists, members, then one made and deleted.

    Args:
        document: OpenAPI.
        send: does it.
        client: a number; each looks at other members.
    """

    document: Mapping[str, Any]
    send: Send
    client: int = 0
    known: dict[str, list[Any]] = field(default_factory=dict)
    bodies: Bodies = field(init=False)

    def __post_init__(self) -> None:
        self.bodies = Bodies(
            self.document, self._identifier, lambda: f"{_MARK}{secrets.token_hex(8)}"
        )

    def run(self) -> None:
        """Sends everything once; what was made is deleted again."""
        paths = [path for path, methods in self.document["paths"].items() if "get" in methods]
        for path in sorted(paths, key=lambda path: path.count("{")):
            if (filled := self._filled(path)) is not None:
                answer = self.send(f"GET {path}", "GET", filled, None, {})
                if path == filled and answer.status == 200:
                    self.known[path] = [one for one in _members(answer.body) if not _is_ours(one)]
        for resource in resources(self.document):
            self._live_through(resource)

    def _filled(self, path: str) -> str | None:
        """A path with values in place of its parameters; None if one is not known."""
        while found := _PARAMETER.search(path):
            value = self._parameter(found[1], path[: found.start()])
            if value is None:
                return None
            path = f"{path[: found.start()]}{quote(str(value), safe='')}{path[found.end() :]}"
        return path

    def _parameter(self, name: str, before: str) -> Any:
        collections = [path for path in self.known if before.startswith(f"{path}/")]
        for path in sorted(collections, key=len, reverse=True):
            for member in self._some(path):
                value = member.get(name, member.get(name.rpartition("_")[2]))
                if value is not None:
                    return value
        return None

    def _some(self, path: str) -> list[dict[str, Any]]:
        members = [member for member in self.known[path] if isinstance(member, dict)]
        at = self.client % len(members) if members else 0
        return members[at:] + members[:at]

    def _identifier(self, name: str) -> Any:
        """A value for `owner_id`: of the collection `owners`, or as another resource has it."""
        noun = name.removesuffix("_id")
        for path in self.known:
            if path.rpartition("/")[2].rstrip("s") in {noun, noun.rstrip("y") + "ie"}:
                for member in self._some(path):
                    if "id" in member:
                        return member["id"]
        for path in self.known:
            for member in self._some(path):
                inner = member.get(noun)
                value = member.get(name) or (inner.get("id") if isinstance(inner, dict) else None)
                if value is not None:
                    return value
        return None

    def _live_through(self, resource: Resource) -> None:
        try:
            body = self.bodies.make(resource.create, every=False)
        except Unmakeable:
            return
        made = self.send(f"POST {resource.path}", "POST", resource.path, body, {})
        identifier = made.body.get("id") if isinstance(made.body, dict) else None
        if made.status not in {200, 201} or identifier is None:
            return
        path = _PARAMETER.sub(quote(str(identifier), safe=""), resource.item)
        matching: dict[str, str] = {}
        if resource.read:
            answer = self.send(f"GET {resource.item}", "GET", path, None, {})
            matching = _matching(answer)
        if resource.update is not None:
            change = self.bodies.make(resource.update, every=True)
            condition = self._condition(resource.item, "patch", matching)
            answer = self.send(f"PATCH {resource.item}", "PATCH", path, change, condition)
            matching = _matching(answer) or matching
        condition = self._condition(resource.item, "delete", matching)
        self.send(f"DELETE {resource.item}", "DELETE", path, None, condition)

    def _condition(self, path: str, method: str, matching: dict[str, str]) -> dict[str, str]:
        """Any version will do where the service asks for one (RFC 9110, section 13.1.1)."""
        operation = self.document["paths"][path].get(method, {})
        names = {str(it.get("name", "")).lower() for it in operation.get("parameters", ())}
        return {"If-Match": "*"} if "if-match" in names else matching


def resources(document: Mapping[str, Any]) -> list[Resource]:
    """The collections of a document in which something can be made and deleted again.

    Args:
        document: OpenAPI.

    Returns:
        In the order of the document.
    """
    paths, found = document["paths"], []
    for path, methods in paths.items():
        items = [one for one in paths if re.fullmatch(re.escape(path) + r"/\{[^/}]+\}", one)]
        item = next((one for one in items if "delete" in paths[one]), None)
        if "post" in methods and "{" not in path and item:
            create, update = _body(methods["post"]), _body(paths[item].get("patch", {}))
            if create is not None:
                found.append(Resource(path, item, create, update, "get" in paths[item]))
    return found


def _body(operation: Mapping[str, Any]) -> Mapping[str, Any] | None:
    content: Mapping[str, Any] = operation.get("requestBody", {}).get("content", {})
    kind = next((kind for kind in content if kind.endswith("json")), None)
    return None if kind is None else content[kind].get("schema")


def _members(body: Any) -> list[Any]:
    """Those of a list, whether it is the body or a member of it."""
    if isinstance(body, list):
        return body
    values = body.values() if isinstance(body, dict) else ()
    return next((value for value in values if isinstance(value, list)), [])


def _is_ours(member: Any) -> bool:
    return _MARK in json.dumps(member)


def _matching(answer: Answer) -> dict[str, str]:
    return {"If-Match": answer.etag} if answer.etag else {}
