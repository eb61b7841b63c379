"""Place and kind of each asset, from the register in force."""

import time
from collections.abc import Mapping
from typing import Final

from ingest_service.domain.places import Register
from ingest_service.services.ports import Records
from ingest_service.storage.influx_lines import Label

_EVERY_S: Final = 1.0


class RegisterLabels:
    """Labels by asset; the register's version is asked for once a second at most, for that costs a query."""

    def __init__(self, records: Records) -> None:
        self._records = records
        self._version = -1
        self._labels: Mapping[str, Label] = {}
        self._due_s = 0.0

    def __call__(self) -> Mapping[str, Label]:
        """The same object until the register changed.

        Raises:
            StoreUnavailableError: the record store cannot be asked now.
        """
        now_s = time.monotonic()
        if now_s >= self._due_s:
            if self._records.register_version() != self._version:
                register = self._records.register()
                self._labels, self._version = label_all(register), register.version
            self._due_s = now_s + _EVERY_S
        return self._labels


def label_all(register: Register) -> dict[str, Label]:
    """Labels of assets, nodes and gateways by the name of their series."""
    labels = {key: Label(asset.place, asset.kind) for key, asset in register.assets.items()}
    for key, node in register.nodes.items():
        labels[f"node:{key}"] = Label(node.place, "node")
        labels[f"gateway:{node.gateway}"] = Label("", "gateway")
    return labels
