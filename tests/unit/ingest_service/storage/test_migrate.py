"""Migrations make exactly the tables that the code uses, however many processes start at once."""

import multiprocessing
from pathlib import Path

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext

from ingest_service.storage import migrate, tables
from ingest_service.storage.database import open_engine
from ingest_service.storage.records import SqlRecords


def test_the_migrated_schema_is_that_of_the_code(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/a/records.sqlite3"
    migrate.upgrade(url)
    migrate.upgrade(url)
    engine = open_engine(url)
    with engine.begin() as connection:
        assert compare_metadata(MigrationContext.configure(connection), tables.metadata) == []
    engine.dispose()


def make_old_store(path: Path, revision: str, *words: str) -> str:
    """A store as the release with `revision` left it; its address."""
    config = Config()
    config.set_main_option("script_location", str(Path(migrate.__file__).parent / "migrations"))
    engine = open_engine(f"sqlite:///{path}")
    with engine.execution_options(writes=True).begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
        for statement in words:
            connection.exec_driver_sql(statement)
    engine.dispose()
    return str(engine.url)


def test_rejects_of_an_older_store_are_counted(tmp_path: Path) -> None:
    row = "insert into rejects (received_ms, topic, payload, reason, detail) values ({}, 't', zeroblob(9000), '{}', '')"
    words = [row.format(1, "not_json"), row.format(2, "empty"), row.format(3, "empty")]
    url = make_old_store(tmp_path / "records.sqlite3", "0001", *words)
    migrate.upgrade(url)
    records = SqlRecords(url, rejects_max_bytes=20_000)
    assert records.count_rejects() == {"not_json": 1, "empty": 2}
    records.keep_rejects([])
    records.keep_rejects([records.rejects()[0][1]])
    assert (records.count_rejects(), records.count_dropped_rejects()) == ({"empty": 2}, {"not_json": 1, "empty": 1})
    records.close()


def test_processes_that_start_together_migrate_once(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/records.sqlite3"
    context = multiprocessing.get_context("spawn")
    starts = [context.Process(target=migrate.upgrade, args=(url,)) for _ in range(3)]
    for process in starts:
        process.start()
    for process in starts:
        process.join(60)
    assert [process.exitcode for process in starts] == [0, 0, 0]
