"""Widen users.name, add posts.slug: as autogenerate of Alembic alone writes it."""

import sqlalchemy as sa
from alembic import op

revision = "v2"
down_revision = "head of the service"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("posts", sa.Column("slug", sa.String(length=200), nullable=True))
    op.create_index("ix_posts_slug", "posts", ["slug"], unique=False)
    op.alter_column(
        "users",
        "name",
        existing_type=sa.VARCHAR(length=200),
        type_=sa.String(length=300),
        existing_nullable=True,
    )


def downgrade() -> None:
    op.alter_column(
        "users",
        "name",
        existing_type=sa.String(length=300),
        type_=sa.VARCHAR(length=200),
        existing_nullable=True,
    )
    op.drop_index("ix_posts_slug", table_name="posts")
    op.drop_column("posts", "slug")
