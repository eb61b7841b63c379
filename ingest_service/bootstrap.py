"""The only place that names concrete adapters: settings in, parts that fit together out."""

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ingest_service.channels.console import ConsoleChannel
from ingest_service.config import Settings, SettingsError
from ingest_service.services.ports import Channel, Now, Observations, Records
from ingest_service.storage import migrate
from ingest_service.storage.embedded import EmbeddedObservations
from ingest_service.storage.records import SqlRecords

if TYPE_CHECKING:
    from fastapi import FastAPI

    from ingest_service.mqtt.intake import Intake
    from ingest_service.mqtt.listener import Listener

EMBEDDED_BROKER_HOST = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Stores:
    """Both stores, open."""

    observations: Observations
    records: Records

    def close(self) -> None:
        """Give back files and connections; harmless when called twice."""
        self.observations.close()
        self.records.close()


def open_stores(settings: Settings) -> Stores:
    """Bring the schema up to date and open both stores.

    Raises:
        SettingsError: the data folder cannot be made, or the InfluxDB lacks something.
        StoreUnavailableError: the record store or the InfluxDB cannot be reached now.
        CorruptStoreError: its file cannot be read.
    """
    try:
        settings.data_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        words = f"MONUOC_DATA_DIR={settings.data_dir}: {error.strerror}; name a folder that this user may write"
        raise SettingsError(words) from None
    url = settings.find_records_url()
    migrate.upgrade(url)
    records = SqlRecords(url, rejects_max_bytes=settings.rejects_max_bytes)
    try:
        return Stores(_open_history(settings, records), records)
    except BaseException:
        records.close()
        raise


def _open_history(settings: Settings, records: Records) -> Observations:
    if settings.history == "embedded":
        return EmbeddedObservations(settings.find_history_path(), max_bytes=settings.history_max_bytes or None)
    from ingest_service.storage.influx import InfluxObservations  # noqa: PLC0415 - half a second that few need
    from ingest_service.storage.influx_http import InfluxAddress, InfluxHttp  # noqa: PLC0415
    from ingest_service.storage.influx_labels import RegisterLabels  # noqa: PLC0415
    from ingest_service.storage.influx_setup import InfluxSetupError, prepare  # noqa: PLC0415

    http = InfluxHttp(
        InfluxAddress(
            settings.influx_url,
            settings.influx_bucket,
            settings.influx_org,
            settings.read_influx_token(),
            settings.influx_timeout_s,
        )
    )
    try:
        prepare(http)
    except InfluxSetupError as error:
        http.close()
        raise SettingsError(str(error)) from None
    except BaseException:
        http.close()
        raise
    return InfluxObservations(http, RegisterLabels(records))


def make_clock(settings: Settings) -> Now:
    """The real clock, or that of a demonstration, which runs `clock_factor` times as fast from its origin."""
    factor, origin_ms, real_origin_ms = settings.clock_factor, settings.clock_origin_ms, settings.clock_real_origin_ms

    def now() -> int:
        return round(origin_ms + (time.time() * 1000 - real_origin_ms) * factor)

    return now


def find_broker(settings: Settings) -> tuple[str, int]:
    """Host and port of the broker, the embedded one's where none is configured."""
    return settings.broker_host or EMBEDDED_BROKER_HOST, settings.broker_port


def make_intake(settings: Settings, stores: Stores) -> "Intake":
    """The door for messages."""
    from ingest_service.mqtt.intake import Intake  # noqa: PLC0415 - only some commands need it

    return Intake(stores.observations, stores.records, make_clock(settings))


def make_listener(settings: Settings, stores: Stores) -> "Listener":
    """One worker of the shared subscription, with its /metrics where a port is set."""
    from ingest_service.mqtt import translate  # noqa: PLC0415 - only `listen` needs these
    from ingest_service.mqtt.connection import BrokerAddress, Connection  # noqa: PLC0415
    from ingest_service.mqtt.listener import Listener  # noqa: PLC0415
    from ingest_service.mqtt.metrics import ListenFigures  # noqa: PLC0415

    host, port = find_broker(settings)
    address = BrokerAddress(
        host,
        port,
        user=settings.broker_user,
        password=settings.read_broker_password(),
        ca_file=settings.broker_ca_file,
        cert_file=settings.broker_cert_file,
        key_file=settings.broker_key_file,
        group=settings.broker_group,
        window=min(65_535, max(1000, 2 * settings.batch_messages)),
    )
    figures = ListenFigures()
    if settings.metrics_port:
        figures.serve("127.0.0.1", settings.metrics_port)
    return Listener(
        Connection(address, (translate.DATA_FILTER,), (translate.STATUS_FILTER,)),
        make_intake(settings, stores),
        figures,
        batch_messages=settings.batch_messages,
        batch_s=settings.batch_ms / 1000,
    )


def make_channels(_settings: Settings) -> list[Channel]:
    """Every configured way to reach people."""
    return [ConsoleChannel()]


def make_web(settings: Settings, stores: Stores) -> "FastAPI":
    """Pages and API."""
    from ingest_service.web.app import create_app  # noqa: PLC0415 - only `web` needs it

    return create_app(stores.observations, stores.records, make_clock(settings), address=settings.base_url)
