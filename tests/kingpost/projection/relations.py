"""Tables for the ways in which one can belong to another."""

from datetime import datetime

from sqlalchemy import (
    Column,
    ColumnElement,
    DateTime,
    ForeignKey,
    ForeignKeyConstraint,
    Table,
    Text,
    func,
)
from sqlalchemy.ext.hybrid import hybrid_property
from sqlalchemy.orm import Mapped, column_property, mapped_column, relationship
from tests.kingpost.projection.columns import Base

labelled = Table(
    "labelled",
    Base.metadata,
    Column("folder_id", ForeignKey("folders.id"), primary_key=True),
    Column("label_id", ForeignKey("labels.id"), primary_key=True),
)


class Label(Base):
    __tablename__ = "labels"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    folders: Mapped[list["Folder"]] = relationship(
        secondary=labelled, lazy="raise", back_populates="labels"
    )


class Folder(Base):
    __tablename__ = "folders"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column()
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("folders.id"))
    changed_at: Mapped[datetime] = mapped_column(
        DateTime(timezone=True), server_default="2026-11-22T04:15:00Z"
    )
    parent: Mapped["Folder | None"] = relationship(
        lazy="raise", remote_side="Folder.id", back_populates="children"
    )
    children: Mapped[list["Folder"]] = relationship(
        lazy="raise", order_by="Folder.name", back_populates="parent"
    )
    labels: Mapped[list[Label]] = relationship(
        secondary=labelled, lazy="raise", order_by=Label.name, back_populates="folders"
    )
    lock: Mapped["Lock | None"] = relationship(lazy="raise", back_populates="folder")

    @hybrid_property
    def whisper(self) -> str:
        return self.name.lower()

    @whisper.inplace.expression
    @classmethod
    def _whisper(cls) -> ColumnElement[str]:
        return func.lower(cls.name, type_=Text)


# outside of the class, where its column has the type that Mapped gives it
Folder.shout = column_property(func.upper(Folder.name, type_=Text))


class Lock(Base):
    """At most one for a folder."""

    __tablename__ = "locks"
    __table_args__ = (
        ForeignKeyConstraint(["shelf_row", "shelf_column"], ["shelves.row", "shelves.column"]),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    folder_id: Mapped[int] = mapped_column(ForeignKey("folders.id"), unique=True)
    shelf_row: Mapped[int]
    shelf_column: Mapped[int]
    folder: Mapped[Folder] = relationship(lazy="raise", back_populates="lock")
    shelf: Mapped["Shelf"] = relationship(lazy="raise")


class Shelf(Base):
    """Has a key of two columns."""

    __tablename__ = "shelves"

    row: Mapped[int] = mapped_column(primary_key=True)
    column: Mapped[int] = mapped_column(primary_key=True)
    note: Mapped[str | None]
