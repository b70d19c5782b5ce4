"""What the tables of a service have in common."""

from datetime import datetime
from types import MappingProxyType
from typing import Any
from uuid import UUID

from sqlalchemy import DateTime, Integer, func, text
from sqlalchemy.orm import DeclarativeBase, Mapped, declared_attr, mapped_column
from uuid_utils.compat import uuid7

NAMING_CONVENTION = MappingProxyType(
    {
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)
"""For `MetaData(naming_convention=…)`: the name of a constraint says which fields it is about."""


class UuidKeyMixin:
    """A key made by the application: sorts by time, cannot be guessed (UUIDv7, RFC 9562, 5.7)."""

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7, sort_order=-100)


def _mapper_arguments(cls: type[Any]) -> dict[str, Any]:
    """Both mixins below give this one answer, as SQLAlchemy asks only the first of them."""
    arguments: dict[str, Any] = {"eager_defaults": True}  # RETURNING instead of another SELECT
    if issubclass(cls, VersionMixin):
        arguments["version_id_col"] = cls.version
    return arguments


class TimestampsMixin:
    """When a row was made and last changed, by the clock of the database, with its time zone."""

    created_at: Mapped[datetime] = mapped_column(
        DateTime(timezone=True), server_default=func.now(), sort_order=100
    )
    updated_at: Mapped[datetime] = mapped_column(
        DateTime(timezone=True), server_default=func.now(), onupdate=func.now(), sort_order=101
    )

    @declared_attr.directive
    def __mapper_args__(cls) -> dict[str, Any]:  # noqa: N805 - SQLAlchemy passes the class
        return _mapper_arguments(cls)  # type: ignore[arg-type]  # mypy takes cls for an instance


class VersionMixin:
    """A counter of changes: of two that change the same version, the second one conflicts."""

    version: Mapped[int] = mapped_column(Integer, server_default=text("1"), sort_order=102)

    @declared_attr.directive
    def __mapper_args__(cls) -> dict[str, Any]:  # noqa: N805 - SQLAlchemy passes the class
        return _mapper_arguments(cls)  # type: ignore[arg-type]  # mypy takes cls for an instance


def assert_lazy_raise(base: type[DeclarativeBase]) -> None:
    """Fails if a relationship would load by itself, one statement for each object.

    Args:
        base: the declarative base of the service; its models must have been imported.

    Raises:
        AssertionError: naming each relationship without `lazy="raise"`.
    """
    wrong = [
        f"{mapper.class_.__name__}.{relationship.key}"
        for mapper in base.registry.mappers
        for relationship in mapper.relationships
        if relationship.lazy not in {"raise", "raise_on_sql", "write_only"}
    ]
    if wrong:
        raise AssertionError(f'relationships without lazy="raise": {", ".join(sorted(wrong))}')
