from sqlalchemy import (
    CheckConstraint,
    Column,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    func,
)
from tests.kingpost.library import Base

from kingpost.database import NAMING_CONVENTION, ConstraintFields, ConstraintMap


def test_every_constraint_of_the_metadata_leads_to_fields() -> None:
    constraints = ConstraintMap(Base.metadata)

    assert constraints["uq_authors_email"] == ConstraintFields("authors", ("email",))
    assert constraints["uq_books_author_id_title"].fields == ("author_id", "title")
    assert constraints["ck_books_year_positive"].fields == ("year",)
    assert constraints["ex_loans_during"].fields == ("during",)
    assert constraints["pk_books"].fields == ("id",)
    assert constraints["fk_books_author_id_authors"] == ConstraintFields(
        "books", ("author_id",), ("id",)
    )
    assert all(constraints[name].fields for name in constraints.names())
    assert "uq_authors_email" in constraints


def test_expressions_of_sqlalchemy_lead_to_their_columns_too() -> None:
    metadata = MetaData(naming_convention=dict(NAMING_CONVENTION))
    Table(
        "pages",
        metadata,
        Column("site", Text, key="place"),
        Column("path", Text),
        Column("size", Integer),
        CheckConstraint("size >= 0 AND length(path) > 0", "sane"),
        Index("uq_pages_path", func.lower(Column("path", Text)), unique=True),
        UniqueConstraint("place", "path"),
        Index("ix_pages_size", "size"),
    )
    constraints = ConstraintMap(metadata)

    assert constraints["ck_pages_sane"].fields == ("size", "path")
    assert constraints["uq_pages_path"].fields == ("path",)
    assert constraints["uq_pages_site_path"].fields == ("place", "path")
    assert "ix_pages_size" not in constraints


def test_a_name_longer_than_postgresql_allows_is_known_as_it_is_cut() -> None:
    metadata = MetaData(naming_convention=dict(NAMING_CONVENTION))
    Table("t" * 40, metadata, Column("c" * 40, Integer, unique=True))

    (name,) = (n for n in ConstraintMap(metadata).names() if n.startswith("uq"))
    assert len(name) <= 63


def test_the_number_of_a_shard_is_ignored_and_an_unknown_name_is_none() -> None:
    constraints = ConstraintMap(Base.metadata)

    assert constraints.find("uq_authors_email_102008") == constraints["uq_authors_email"]
    assert constraints.find("uq_authors_email_x") is None
    assert constraints.find(None) is None
