"""What can be wrong with a store's file, in the words of whoever has to mend it."""

from pathlib import Path


class CorruptStoreError(Exception):
    """The store's file cannot be read; trying again does not help."""

    def __init__(self, path: Path, why: object) -> None:
        super().__init__(
            f"the store {path} cannot be read ({why}). Stop the service, put the file and its -wal and -shm neighbours "
            f"aside, put the last backup in their place (or nothing, to begin empty), and start again"
        )
