"""How Alembic runs our migrations: in the transaction that `storage.migrate` has opened."""

from alembic import context
from sqlalchemy import Connection

from ingest_service.storage.tables import metadata


def run(connection: Connection) -> None:
    """Apply them on `connection`; its owner commits."""
    context.configure(connection=connection, target_metadata=metadata, transactional_ddl=True)
    context.run_migrations()


run(context.config.attributes["connection"])
