"""Fill posts.slug and forbid NULL.

Version 2, which runs now, writes it.
"""

from alembic import op

revision = "v3"
down_revision = "v2c"
branch_labels = None
depends_on = None

phase = "migrate"


def upgrade() -> None:
    op.backfill("posts", {"slug": "lower(replace(title, ' ', '-'))"}, where="slug IS NULL")
    op.set_not_null_online("posts", "slug")


def downgrade() -> None:
    op.alter_column("posts", "slug", nullable=True)
