"""Add posts.slug."""

import sqlalchemy as sa
from alembic import op

revision = "v2b"
down_revision = "v2a"
branch_labels = None
depends_on = None

phase = "expand"


def upgrade() -> None:
    op.add_column("posts", sa.Column("slug", sa.String(200)))


def downgrade() -> None:
    op.drop_column("posts", "slug")
