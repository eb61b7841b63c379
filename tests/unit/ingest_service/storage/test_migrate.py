"""Migrations make exactly the tables that the code uses, however many processes start at once."""

import multiprocessing
from pathlib import Path

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from ingest_service.storage import migrate, tables
from ingest_service.storage.database import open_engine


def test_the_migrated_schema_is_that_of_the_code(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/a/records.sqlite3"
    migrate.upgrade(url)
    migrate.upgrade(url)
    engine = open_engine(url)
    with engine.begin() as connection:
        assert compare_metadata(MigrationContext.configure(connection), tables.metadata) == []
    engine.dispose()


def test_processes_that_start_together_migrate_once(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/records.sqlite3"
    context = multiprocessing.get_context("spawn")
    starts = [context.Process(target=migrate.upgrade, args=(url,)) for _ in range(3)]
    for process in starts:
        process.start()
    for process in starts:
        process.join(60)
    assert [process.exitcode for process in starts] == [0, 0, 0]
