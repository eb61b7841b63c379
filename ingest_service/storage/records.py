"""Everything that is not a series, in a relational database."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, Row, delete, func, insert, select, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError

from ingest_service.domain.places import Register
from ingest_service.services.ports import AlertChange, Heartbeat, OpenAlert, Reject, StoreUnavailableError
from ingest_service.storage import tables
from ingest_service.storage.database import open_engine, unreadable
from ingest_service.storage.files import CorruptStoreError
from ingest_service.storage.register_rows import load_register, save_register
from ingest_service.storage.reject_rows import delete_rejects, insert_rejects

REJECTS_MAX_BYTES: Final = 256 * 2**20
_URGENCY = {"critical": 0, "warning": 1, "info": 2}


class SqlRecords:
    """Port `Records` over SQLAlchemy; any number of processes and threads may share one database.

    Args:
        url: an SQLAlchemy address, e.g. "sqlite:////var/lib/monuoc/records.sqlite3". Its schema must have been brought
            up to date by `migrate.upgrade`.
        rejects_max_bytes: room for rejects, by their payloads, texts and rows; beyond it the oldest are dropped.
    """

    def __init__(self, url: str, *, rejects_max_bytes: int = REJECTS_MAX_BYTES) -> None:
        self._engine = open_engine(url)
        self._rejects_max_bytes = rejects_max_bytes

    def register(self) -> Register:
        """The current snapshot of places, assets, nodes and placements."""
        with self._reading() as database:
            return load_register(database)

    def register_version(self) -> int:
        """Version of that snapshot; 0 before the first."""
        with self._reading() as database:
            return int(database.scalar(select(func.max(tables.register_versions.c.version))) or 0)

    def replace_register(self, register: Register) -> int:
        """Make `register` the current one; the new version is returned."""
        with self._writing() as database:
            return save_register(database, register)

    def keep_rejects(self, rejects: Sequence[Reject]) -> None:
        """Store them durably before returning; the oldest of all are dropped where they would take too much room."""
        if rejects:
            with self._writing() as database:
                insert_rejects(database, rejects, self._rejects_max_bytes)

    def rejects(self, limit: int = 100) -> list[tuple[int, Reject]]:
        """Newest first, each with its id."""
        words = select(tables.rejects).order_by(tables.rejects.c.id.desc()).limit(limit)
        with self._reading() as database:
            rows = database.execute(words).all()
        return [
            (row.id, Reject(row.received_ms, row.topic, bytes(row.payload), row.reason, row.detail)) for row in rows
        ]

    def drop_rejects(self, ids: Sequence[int]) -> None:
        """Forget rejects that have since been taken in; unknown ids are ignored."""
        with self._writing() as database:
            delete_rejects(database, ids)

    def count_rejects(self) -> dict[str, int]:
        """How many are kept, by reason."""
        return self._count_rejects("kept")

    def count_dropped_rejects(self) -> dict[str, int]:
        """How many were dropped for room since the beginning, by reason."""
        return self._count_rejects("dropped")

    def _count_rejects(self, what: str) -> dict[str, int]:
        column = tables.reject_counts.c[what]
        with self._reading() as database:
            rows = database.execute(select(tables.reject_counts.c.reason, column).where(column > 0)).all()
        return {reason: int(count) for reason, count in rows}

    def append_changes(self, changes: Sequence[AlertChange], states: Mapping[str, str]) -> None:
        """Add alert changes and save the rules' working states in one transaction."""
        if not changes and not states:
            return
        with self._writing() as database:
            for change in changes:
                _append_change(database, change)
            rows = [{"key": key, "state": state} for key, state in states.items()]
            if rows:
                words = self._insert(tables.rule_states)
                database.execute(words.on_conflict_do_update(["key"], set_={"state": words.excluded.state}), rows)

    def rule_states(self) -> dict[str, str]:
        """The working states last saved."""
        with self._reading() as database:
            return {row.key: row.state for row in database.execute(select(tables.rule_states))}

    def open_alerts(self) -> list[OpenAlert]:
        """Alerts raised and not cleared, critical first, then oldest first."""
        words = select(tables.open_alerts.c.raised_ms, tables.alert_changes).join_from(
            tables.open_alerts, tables.alert_changes, tables.open_alerts.c.latest_id == tables.alert_changes.c.id
        )
        with self._reading() as database:
            found = [OpenAlert(row.raised_ms, _change(row)) for row in database.execute(words)]
        return sorted(
            found, key=lambda alert: (_URGENCY[alert.latest.severity], alert.raised_ms, alert.latest.alert_id)
        )

    def changes(
        self, *, asset: str | None = None, from_ms: int = 0, to_ms: int | None = None, limit: int = 1000
    ) -> list[AlertChange]:
        """Alert changes with from_ms <= at_ms < to_ms, newest first."""
        table = tables.alert_changes
        words = select(table).where(table.c.at_ms >= from_ms)
        if asset is not None:
            words = words.where(table.c.asset == asset)
        if to_ms is not None:
            words = words.where(table.c.at_ms < to_ms)
        with self._reading() as database:
            rows = database.execute(words.order_by(table.c.at_ms.desc(), table.c.id.desc()).limit(limit)).all()
        return [_change(row) for row in rows]

    def undelivered(self, channel: str, limit: int = 100) -> list[tuple[int, AlertChange]]:
        """Changes with an id above the channel's mark, not quiet, oldest first."""
        table, marks = tables.alert_changes, tables.delivery_marks
        mark = func.coalesce(select(marks.c.change_id).where(marks.c.channel == channel).scalar_subquery(), 0)
        words = select(table).where(table.c.id > mark, table.c.quiet.is_(False)).order_by(table.c.id).limit(limit)
        with self._reading() as database:
            return [(row.id, _change(row)) for row in database.execute(words)]

    def mark_delivered(self, channel: str, change_id: int) -> None:
        """Move the channel's mark; it never goes back."""
        words = self._insert(tables.delivery_marks).values(channel=channel, change_id=change_id)
        mark = tables.delivery_marks.c.change_id
        with self._writing() as database:
            database.execute(
                words.on_conflict_do_update(
                    ["channel"], set_={"change_id": words.excluded.change_id}, where=mark < words.excluded.change_id
                )
            )

    def save_heartbeat(self, heartbeat: Heartbeat) -> None:
        """Keep the newest per gateway (by received_ms)."""
        row = {
            "gateway": heartbeat.gateway,
            "at_ms": heartbeat.at_ms,
            "received_ms": heartbeat.received_ms,
            "online": heartbeat.online,
            "body": dict(heartbeat.body),
        }
        words = self._insert(tables.heartbeats).values(row)
        newer = tables.heartbeats.c.received_ms <= words.excluded.received_ms
        fresh = {name: words.excluded[name] for name in ("at_ms", "received_ms", "online", "body")}
        with self._writing() as database:
            database.execute(words.on_conflict_do_update(["gateway"], set_=fresh, where=newer))

    def heartbeats(self) -> dict[str, Heartbeat]:
        """The newest per gateway id."""
        with self._reading() as database:
            rows = database.execute(select(tables.heartbeats)).all()
        return {row.gateway: Heartbeat(row.gateway, row.at_ms, row.received_ms, row.online, row.body) for row in rows}

    def ready(self) -> None:
        """Return if a trivial read works, else raise."""
        with self._reading() as database:
            database.execute(text("select count(*) from register_versions"))

    def close(self) -> None:
        """Give back connections; harmless when called twice."""
        self._engine.dispose()

    def _insert(self, table: Any) -> Any:  # noqa: ANN401 - the two dialects share no type for their upsert
        dialect = postgresql if self._engine.dialect.name == "postgresql" else sqlite
        return dialect.insert(table)

    def _reading(self) -> AbstractContextManager[Connection]:
        return self._transaction(writes=False)

    def _writing(self) -> AbstractContextManager[Connection]:
        return self._transaction(writes=True)

    @contextmanager
    def _transaction(self, *, writes: bool) -> Iterator[Connection]:
        try:
            with self._engine.execution_options(writes=writes).begin() as database:
                yield database
        except DBAPIError as error:
            if unreadable(error):
                raise CorruptStoreError(Path(str(self._engine.url.database)), error.orig) from error
            if error.connection_invalidated or type(error).__name__ == "OperationalError":
                raise StoreUnavailableError(str(error.orig)) from error
            raise


def _append_change(database: Connection, change: AlertChange) -> None:
    row = {name: getattr(change, name) for name in AlertChange.__slots__}
    row["evidence"] = dict(change.evidence)
    change_id = database.scalar(insert(tables.alert_changes).values(row).returning(tables.alert_changes.c.id))
    opened = tables.open_alerts
    mine = opened.c.alert_id == change.alert_id
    if change.state == "cleared":
        database.execute(delete(opened).where(mine))
    elif database.execute(opened.update().where(mine).values(latest_id=change_id)).rowcount == 0:
        database.execute(insert(opened).values(alert_id=change.alert_id, raised_ms=change.at_ms, latest_id=change_id))


def _change(row: Row[Any]) -> AlertChange:
    return AlertChange(
        alert_id=row.alert_id,
        rule=row.rule,
        asset=row.asset,
        state=row.state,
        severity=row.severity,
        at_ms=row.at_ms,
        decided_ms=row.decided_ms,
        reason=row.reason,
        evidence=row.evidence,
        quiet=row.quiet,
    )
