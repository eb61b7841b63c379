"""A flow meter at a tank measures what flows in or what flows out."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.add_column("placements", sa.Column("direction", sa.Text(), nullable=False, server_default="in"))
