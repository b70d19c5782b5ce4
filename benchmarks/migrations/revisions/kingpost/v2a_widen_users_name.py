"""Widen users.name.

A revision of its own, since its lock on users would be held while the next one waits for posts.
"""

import sqlalchemy as sa
from alembic import op

revision = "v2a"
down_revision = "head of the service"
branch_labels = None
depends_on = None

phase = "expand"
rehearsal_reason = "Kingpost prepares stale statements again by itself"


def upgrade() -> None:
    op.alter_column("users", "name", existing_type=sa.String(200), type_=sa.String(300))


def downgrade() -> None:
    op.alter_column("users", "name", existing_type=sa.String(300), type_=sa.String(200))
