"""Fill posts.slug and forbid NULL, in one transaction."""

import sqlalchemy as sa
from alembic import op

revision = "v3"
down_revision = "v2"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("UPDATE posts SET slug = lower(replace(title, ' ', '-')) WHERE slug IS NULL")
    op.alter_column("posts", "slug", existing_type=sa.VARCHAR(length=200), nullable=False)


def downgrade() -> None:
    op.alter_column("posts", "slug", existing_type=sa.VARCHAR(length=200), nullable=True)
