"""Tables of the record store, for SQLite and PostgreSQL alike. Every change here needs a migration beside it."""

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

_big_id = BigInteger().with_variant(Integer(), "sqlite")
"""An id that counts up by itself; SQLite does that for INTEGER only."""

register_versions = Table(
    "register_versions",
    metadata,
    Column("version", Integer, primary_key=True, autoincrement=False),
    comment="One row: the version of places, assets, nodes and placements now in force.",
)

places = Table(
    "places",
    metadata,
    Column("key", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("commune", Text, nullable=False),
    Column("people", Integer),
    Column("latitude", Float),
    Column("longitude", Float),
    Column("contacts", JSON, nullable=False),
)

assets = Table(
    "assets",
    metadata,
    Column("key", Text, primary_key=True),
    Column("place", Text, ForeignKey("places.key"), nullable=False),
    Column("kind", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("tank", JSON(none_as_null=True)),
    Column("thresholds", JSON, nullable=False),
)

nodes = Table(
    "nodes",
    metadata,
    Column("gateway", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("place", Text, ForeignKey("places.key"), nullable=False),
    Column("interval_s", Float, nullable=False),
)

placements = Table(
    "placements",
    metadata,
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("node", Text, nullable=False),
    Column("channel", Text, nullable=False),
    Column("asset", Text, ForeignKey("assets.key"), nullable=False),
    Column("from_ms", BigInteger, nullable=False),
    Column("to_ms", BigInteger),
    Column("sensor_height_m", Float),
    Column("direction", Text, nullable=False, server_default="in"),
)

rejects = Table(
    "rejects",
    metadata,
    Column("id", _big_id, primary_key=True),
    Column("received_ms", BigInteger, nullable=False),
    Column("topic", Text, nullable=False),
    Column("payload", LargeBinary, nullable=False),
    Column("reason", Text, nullable=False),
    Column("detail", Text, nullable=False),
    Column("bytes", Integer, nullable=False, server_default="0"),
    sqlite_autoincrement=True,
)

reject_counts = Table(
    "reject_counts",
    metadata,
    Column("reason", Text, primary_key=True),
    Column("kept", BigInteger, nullable=False),
    Column("kept_bytes", BigInteger, nullable=False),
    Column("dropped", BigInteger, nullable=False),
    comment="How many rejects are kept, in how many bytes, and how many were dropped for room; one row a reason.",
)

alert_changes = Table(
    "alert_changes",
    metadata,
    Column("id", _big_id, primary_key=True),
    Column("alert_id", Text, nullable=False),
    Column("rule", Text, nullable=False),
    Column("asset", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("severity", Text, nullable=False),
    Column("at_ms", BigInteger, nullable=False, index=True),
    Column("decided_ms", BigInteger, nullable=False),
    Column("reason", Text, nullable=False),
    Column("evidence", JSON, nullable=False),
    Column("quiet", Boolean, nullable=False),
    Index(None, "asset", "at_ms"),
    Index(None, "alert_id", "id"),
    sqlite_autoincrement=True,
)

open_alerts = Table(
    "open_alerts",
    metadata,
    Column("alert_id", Text, primary_key=True),
    Column("raised_ms", BigInteger, nullable=False),
    Column("latest_id", _big_id, ForeignKey("alert_changes.id"), nullable=False),
    comment="What alert_changes says is open, kept in the same transaction so that asking stays cheap.",
)

rule_states = Table(
    "rule_states", metadata, Column("key", Text, primary_key=True), Column("state", Text, nullable=False)
)

heartbeats = Table(
    "heartbeats",
    metadata,
    Column("gateway", Text, primary_key=True),
    Column("at_ms", BigInteger, nullable=False),
    Column("received_ms", BigInteger, nullable=False),
    Column("online", Boolean, nullable=False),
    Column("body", JSON, nullable=False),
)

delivery_marks = Table(
    "delivery_marks",
    metadata,
    Column("channel", Text, primary_key=True),
    Column("change_id", BigInteger, nullable=False),
)
