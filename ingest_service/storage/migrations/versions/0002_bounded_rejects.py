"""Rejects know their size and are counted by reason, so that they can be bounded."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.drop_index(op.f("ix_rejects_reason"), table_name="rejects")
    op.add_column("rejects", sa.Column("bytes", sa.Integer(), nullable=False, server_default="0"))
    op.execute(
        "update rejects set bytes = 128 + length(payload) + length(topic) + length(reason) + length(detail)"
    )
    op.create_table(
        "reject_counts",
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("kept", sa.BigInteger(), nullable=False),
        sa.Column("kept_bytes", sa.BigInteger(), nullable=False),
        sa.Column("dropped", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("reason", name=op.f("pk_reject_counts")),
        comment="How many rejects are kept, in how many bytes, and how many were dropped for room; one row a reason.",
    )
    op.execute(
        "insert into reject_counts (reason, kept, kept_bytes, dropped) "
        "select reason, count(*), sum(bytes), 0 from rejects group by reason"
    )
