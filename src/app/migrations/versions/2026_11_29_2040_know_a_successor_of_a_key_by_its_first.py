"""Know a successor of a key by its first

Revision: 9be171691384
Follows: 5e81c47ab2d0
"""

import sqlalchemy as sa
from alembic import op

revision = "9be171691384"
down_revision = "5e81c47ab2d0"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("keys", sa.Column("principal_id", sa.Uuid(), nullable=True))


def downgrade() -> None:
    op.drop_column("keys", "principal_id")
