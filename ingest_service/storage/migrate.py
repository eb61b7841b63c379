"""Bring the record store's schema up to date; run at every start, before anything reads it."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy.exc import DBAPIError

from ingest_service.services.ports import StoreUnavailableError
from ingest_service.storage.database import open_engine, unreadable
from ingest_service.storage.files import CorruptStoreError


def upgrade(url: str) -> None:
    """Apply all migrations that `url` lacks, in one transaction; several processes may do this at once.

    Raises:
        StoreUnavailableError: the database cannot be reached or written now.
        CorruptStoreError: its file is damaged.
    """
    engine = open_engine(url)
    if engine.dialect.name == "sqlite" and engine.url.database:
        Path(engine.url.database).parent.mkdir(parents=True, exist_ok=True)
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    try:
        with engine.execution_options(writes=True).begin() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    except DBAPIError as error:
        if unreadable(error):
            raise CorruptStoreError(Path(str(engine.url.database)), error.orig) from error
        raise StoreUnavailableError(f"{engine.url.render_as_string(hide_password=True)}: {error.orig}") from error
    finally:
        engine.dispose()
