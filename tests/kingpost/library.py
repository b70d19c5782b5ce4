"""The small world of the library's own tests: authors, their books, who has borrowed them."""

from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
    Index,
    LargeBinary,
    MetaData,
    Numeric,
    String,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import INT4RANGE, JSONB, ExcludeConstraint, Range
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from kingpost.database import (
    NAMING_CONVENTION,
    AuditEntryMixin,
    TimestampsMixin,
    UuidKeyMixin,
    VersionMixin,
    audit_protection_sql,
)
from kingpost.ratelimit import RateLimitMixin


class Base(DeclarativeBase):
    metadata = MetaData(naming_convention=dict(NAMING_CONVENTION))


class Author(UuidKeyMixin, TimestampsMixin, VersionMixin, Base):
    __tablename__ = "authors"
    __audited__ = True
    __audit_secret__ = frozenset({"password"})
    __table_args__ = (
        Index("uq_authors_email", text('lower(email COLLATE "C")'), unique=True),
        CheckConstraint("length(name) > 0", "name_not_empty"),
    )

    email: Mapped[str] = mapped_column(String(100))
    name: Mapped[str | None]
    password: Mapped[str | None]
    books: Mapped[list["Book"]] = relationship(lazy="raise", back_populates="author")


class Book(UuidKeyMixin, Base):
    __tablename__ = "books"
    __audited__ = True
    __table_args__ = (
        UniqueConstraint("author_id", "title"),
        CheckConstraint("year > 0", "year_positive"),
    )

    title: Mapped[str] = mapped_column(String(50))
    author_id: Mapped[UUID] = mapped_column(ForeignKey("authors.id"))
    year: Mapped[int | None]
    price: Mapped[Decimal | None] = mapped_column(Numeric(8, 2))
    cover: Mapped[bytes | None] = mapped_column(LargeBinary)
    notes: Mapped[Any | None] = mapped_column(JSONB(none_as_null=True))
    author: Mapped[Author] = relationship(lazy="raise", back_populates="books")


class Loan(Base):
    __tablename__ = "loans"
    __table_args__ = (ExcludeConstraint(("during", "&&"), name="ex_loans_during"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    book_id: Mapped[UUID] = mapped_column(
        ForeignKey("books.id", deferrable=True, initially="DEFERRED")
    )
    during: Mapped[Range[int]] = mapped_column(INT4RANGE)


class RateLimit(RateLimitMixin, Base):
    __tablename__ = "rate_limits"


class AuditEntry(AuditEntryMixin, Base):
    __tablename__ = "audit_entries"


SCHEMA = (
    """CREATE TABLE authors (
        id uuid CONSTRAINT pk_authors PRIMARY KEY,
        email varchar(100) NOT NULL,
        name text CONSTRAINT ck_authors_name_not_empty CHECK (length(name) > 0),
        password text,
        created_at timestamptz NOT NULL DEFAULT now(),
        updated_at timestamptz NOT NULL DEFAULT now(),
        version integer NOT NULL DEFAULT 1
    )""",
    'CREATE UNIQUE INDEX uq_authors_email ON authors (lower(email COLLATE "C"))',
    """CREATE TABLE books (
        id uuid CONSTRAINT pk_books PRIMARY KEY,
        title varchar(50) NOT NULL,
        author_id uuid NOT NULL CONSTRAINT fk_books_author_id_authors REFERENCES authors,
        year integer CONSTRAINT ck_books_year_positive CHECK (year > 0),
        price numeric(8, 2),
        cover bytea,
        notes jsonb,
        CONSTRAINT uq_books_author_id_title UNIQUE (author_id, title)
    )""",
    """CREATE TABLE loans (
        id integer CONSTRAINT pk_loans PRIMARY KEY,
        book_id uuid NOT NULL CONSTRAINT fk_loans_book_id_books REFERENCES books
            DEFERRABLE INITIALLY DEFERRED,
        during int4range NOT NULL,
        CONSTRAINT ex_loans_during EXCLUDE USING gist (during WITH &&)
    )""",
    """CREATE UNLOGGED TABLE IF NOT EXISTS rate_limits (
        principal varchar(200) CONSTRAINT pk_rate_limits PRIMARY KEY,
        ends_at timestamptz NOT NULL, used integer NOT NULL, granted integer NOT NULL
    )""",
    """CREATE TABLE audit_entries (
        id uuid CONSTRAINT pk_audit_entries PRIMARY KEY,
        at timestamptz NOT NULL DEFAULT now(),
        actor varchar, request_id varchar,
        action varchar NOT NULL, entity varchar NOT NULL, entity_id varchar NOT NULL,
        changes jsonb NOT NULL
    )""",
    *audit_protection_sql("audit_entries"),
)
