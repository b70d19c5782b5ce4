"""Index posts.slug."""

from alembic import op

revision = "v2c"
down_revision = "v2b"
branch_labels = None
depends_on = None

phase = "expand"


def upgrade() -> None:
    op.create_index_online("ix_posts_slug", "posts", ["slug"])


def downgrade() -> None:
    op.drop_index_online("ix_posts_slug", "posts")
