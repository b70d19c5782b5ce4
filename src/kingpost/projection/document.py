"""A JSON document that nobody has to parse on its way to the client."""

import json
from contextvars import ContextVar
from typing import Any, Generic, TypeVar, get_args

from pydantic import GetCoreSchemaHandler, TypeAdapter
from pydantic_core import CoreSchema, core_schema, from_json, to_json

S = TypeVar("S")

written: "ContextVar[list[Document[Any]] | None]" = ContextVar("kingpost_written", default=None)
"""Collects the documents that Pydantic writes, for whoever has set a list."""


class Document(Generic[S]):
    """The JSON of an S, as it came from the database.

    As the return annotation of a route it has the OpenAPI schema of S: `-> Document[Read]` shows
    what `-> Read` shows. Kingpost's routes send the body as it is; a plain FastAPI route, or a
    Pydantic model with such a field, parses it and writes it again.

    Attributes:
        body: JSON (RFC 8259) in UTF-8.
        etag: of this JSON, a strong one in its quotes (RFC 9110 section 8.8.3); None for none.
    """

    __slots__ = ("body", "etag")

    def __init__(self, body: bytes, etag: str | None = None) -> None:
        self.body = body
        self.etag = etag

    def read(self, schema: type[S]) -> S:
        """The document as an object, for jobs and tests.

        Args:
            schema: the S.

        Returns:
            The validated object.

        Raises:
            pydantic.ValidationError: the document is none of that schema.
        """
        found: S = TypeAdapter(schema).validate_json(self.body)
        return found

    def __getitem__(self, member: str) -> Any:
        """One member of the document, as JSON has it: an id or a moment is a text."""
        return from_json(self.body)[member]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Document) and self.body == other.body

    def __hash__(self) -> int:
        return hash(self.body)

    def __repr__(self) -> str:
        return f"Document({self.body!r})"

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """A document is taken as it is; its JSON Schema is that of S."""
        [shown] = get_args(source) or (Any,)
        return core_schema.json_or_python_schema(
            json_schema=core_schema.no_info_after_validator_function(_written, handler(shown)),
            python_schema=core_schema.is_instance_schema(cls),
            serialization=core_schema.plain_serializer_function_ser_schema(_parsed),
        )


def _written(value: Any) -> Document[Any]:
    return Document(to_json(value, by_alias=True))


def _parsed(document: Document[Any]) -> Any:
    if (documents := written.get()) is not None:
        documents.append(document)
    return json.loads(document.body)
