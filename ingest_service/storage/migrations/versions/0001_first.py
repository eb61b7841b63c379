"""The first schema."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table('alert_changes',
    sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('alert_id', sa.Text(), nullable=False),
    sa.Column('rule', sa.Text(), nullable=False),
    sa.Column('asset', sa.Text(), nullable=False),
    sa.Column('state', sa.Text(), nullable=False),
    sa.Column('severity', sa.Text(), nullable=False),
    sa.Column('at_ms', sa.BigInteger(), nullable=False),
    sa.Column('decided_ms', sa.BigInteger(), nullable=False),
    sa.Column('reason', sa.Text(), nullable=False),
    sa.Column('evidence', sa.JSON(), nullable=False),
    sa.Column('quiet', sa.Boolean(), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_alert_changes')),
    sqlite_autoincrement=True
    )
    op.create_index(op.f('ix_alert_changes_alert_id_id'), 'alert_changes', ['alert_id', 'id'], unique=False)
    op.create_index(op.f('ix_alert_changes_asset_at_ms'), 'alert_changes', ['asset', 'at_ms'], unique=False)
    op.create_index(op.f('ix_alert_changes_at_ms'), 'alert_changes', ['at_ms'], unique=False)
    op.create_table('delivery_marks',
    sa.Column('channel', sa.Text(), nullable=False),
    sa.Column('change_id', sa.BigInteger(), nullable=False),
    sa.PrimaryKeyConstraint('channel', name=op.f('pk_delivery_marks'))
    )
    op.create_table('heartbeats',
    sa.Column('gateway', sa.Text(), nullable=False),
    sa.Column('at_ms', sa.BigInteger(), nullable=False),
    sa.Column('received_ms', sa.BigInteger(), nullable=False),
    sa.Column('online', sa.Boolean(), nullable=False),
    sa.Column('body', sa.JSON(), nullable=False),
    sa.PrimaryKeyConstraint('gateway', name=op.f('pk_heartbeats'))
    )
    op.create_table('places',
    sa.Column('key', sa.Text(), nullable=False),
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('commune', sa.Text(), nullable=False),
    sa.Column('people', sa.Integer(), nullable=True),
    sa.Column('latitude', sa.Float(), nullable=True),
    sa.Column('longitude', sa.Float(), nullable=True),
    sa.Column('contacts', sa.JSON(), nullable=False),
    sa.PrimaryKeyConstraint('key', name=op.f('pk_places'))
    )
    op.create_table('register_versions',
    sa.Column('version', sa.Integer(), autoincrement=False, nullable=False),
    sa.PrimaryKeyConstraint('version', name=op.f('pk_register_versions')),
    comment='One row: the version of places, assets, nodes and placements now in force.'
    )
    op.create_table('rejects',
    sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('received_ms', sa.BigInteger(), nullable=False),
    sa.Column('topic', sa.Text(), nullable=False),
    sa.Column('payload', sa.LargeBinary(), nullable=False),
    sa.Column('reason', sa.Text(), nullable=False),
    sa.Column('detail', sa.Text(), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_rejects')),
    sqlite_autoincrement=True
    )
    op.create_index(op.f('ix_rejects_reason'), 'rejects', ['reason'], unique=False)
    op.create_table('rule_states',
    sa.Column('key', sa.Text(), nullable=False),
    sa.Column('state', sa.Text(), nullable=False),
    sa.PrimaryKeyConstraint('key', name=op.f('pk_rule_states'))
    )
    op.create_table('assets',
    sa.Column('key', sa.Text(), nullable=False),
    sa.Column('place', sa.Text(), nullable=False),
    sa.Column('kind', sa.Text(), nullable=False),
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('tank', sa.JSON(none_as_null=True), nullable=True),
    sa.Column('thresholds', sa.JSON(), nullable=False),
    sa.ForeignKeyConstraint(['place'], ['places.key'], name=op.f('fk_assets_place')),
    sa.PrimaryKeyConstraint('key', name=op.f('pk_assets'))
    )
    op.create_table('nodes',
    sa.Column('gateway', sa.Text(), nullable=False),
    sa.Column('id', sa.Text(), nullable=False),
    sa.Column('place', sa.Text(), nullable=False),
    sa.Column('interval_s', sa.Float(), nullable=False),
    sa.ForeignKeyConstraint(['place'], ['places.key'], name=op.f('fk_nodes_place')),
    sa.PrimaryKeyConstraint('gateway', 'id', name=op.f('pk_nodes'))
    )
    op.create_table('open_alerts',
    sa.Column('alert_id', sa.Text(), nullable=False),
    sa.Column('raised_ms', sa.BigInteger(), nullable=False),
    sa.Column('latest_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.ForeignKeyConstraint(['latest_id'], ['alert_changes.id'], name=op.f('fk_open_alerts_latest_id')),
    sa.PrimaryKeyConstraint('alert_id', name=op.f('pk_open_alerts')),
    comment='What alert_changes says is open, kept in the same transaction so that asking stays cheap.'
    )
    op.create_table('placements',
    sa.Column('position', sa.Integer(), autoincrement=False, nullable=False),
    sa.Column('node', sa.Text(), nullable=False),
    sa.Column('channel', sa.Text(), nullable=False),
    sa.Column('asset', sa.Text(), nullable=False),
    sa.Column('from_ms', sa.BigInteger(), nullable=False),
    sa.Column('to_ms', sa.BigInteger(), nullable=True),
    sa.Column('sensor_height_m', sa.Float(), nullable=True),
    sa.ForeignKeyConstraint(['asset'], ['assets.key'], name=op.f('fk_placements_asset')),
    sa.PrimaryKeyConstraint('position', name=op.f('pk_placements'))
    )
