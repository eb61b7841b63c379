"""Open the record store's database so that a commit is durable."""

import sqlite3
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import ConnectionPoolEntry

_UNREADABLE = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def open_engine(url: str) -> Engine:
    """An engine for `url`; nothing is opened yet.

    On SQLite a transaction that will write (execution option `writes`) takes the write lock at its begin, so that it
    never fails half-way because another process wrote first.
    """
    engine = create_engine(url, pool_pre_ping=not url.startswith("sqlite"))
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _make_durable)
        event.listen(engine, "begin", _begin)
    return engine


def unreadable(error: DBAPIError) -> bool:
    """True when the file itself is damaged, so that trying again cannot help."""
    return getattr(error.orig, "sqlite_errorcode", 0) & 0xFF in _UNREADABLE


def _make_durable(connection: Any, _: ConnectionPoolEntry) -> None:  # noqa: ANN401 - a DBAPI has no type of its own
    connection.isolation_level = None
    for pragma in ("busy_timeout = 10000", "journal_mode = wal", "synchronous = full", "foreign_keys = on"):
        connection.execute(f"pragma {pragma}")


def _begin(connection: Connection) -> None:
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("begin immediate" if writes else "begin")
