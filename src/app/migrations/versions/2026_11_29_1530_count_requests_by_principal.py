"""Count requests by principal

Revision: 5e81c47ab2d0
Follows: 7d3f0b6a9c21
"""

import sqlalchemy as sa
from alembic import op

revision = "5e81c47ab2d0"
down_revision = "7d3f0b6a9c21"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "rate_limits",
        sa.Column("principal", sa.String(length=200), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used", sa.Integer(), nullable=False),
        sa.Column("granted", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("principal", name=op.f("pk_rate_limits")),
        prefixes=["UNLOGGED"],
    )


def downgrade() -> None:
    op.drop_table("rate_limits")
