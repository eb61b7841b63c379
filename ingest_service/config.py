"""Settings of the server, from the environment (prefix MONUOC_) with secrets from files; checked once at the start."""

import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


class SettingsError(Exception):
    """The environment is wrong; the message names each variable and the mend."""


def _existing(path: Path | None) -> Path | None:
    if path is not None and not path.is_file():
        raise ValueError(f"there is no file {path}")
    return path


def _address(url: str) -> str:
    if url and not re.match(r"(sqlite|postgresql)(\+\w+)?://", url):
        raise ValueError("give an address like postgresql+psycopg://user@host/monuoc, or nothing for a file of its own")
    return url


Port = Annotated[int, Field(ge=1, le=65535)]
Readable = Annotated[Path | None, AfterValidator(_existing)]


class Settings(BaseSettings):
    """All settings. The variable of `data_dir` is MONUOC_DATA_DIR, and so on.

    Attributes:
        data_dir: folder of both stores and of the embedded broker.
        records_url: SQLAlchemy address of the record store; "" is a SQLite file in `data_dir`.
        history: where readings are kept: "embedded", a file in `data_dir`, or "influx", an InfluxDB.
        history_max_bytes: bound of that file, 0 for none but the disk.
        influx_url: InfluxDB 2.5 or later, or 1.8; e.g. http://127.0.0.1:8086.
        influx_org: its organisation; 1.8 has none.
        influx_bucket: "database/retention-policy"; on InfluxDB 2 a bucket of that name.
        influx_timeout_s: how long its answers may take before packs are put off.
        influx_token_file: file whose first line is the token; on 1.8 it reads user:password; unset for none.
        rejects_max_bytes: room for messages that could not be understood; beyond it the oldest are dropped.
        broker_host: MQTT 5 broker; "" starts one inside `run`.
        broker_port: its port.
        broker_user: name to enter with; "" for none.
        broker_password_file: file whose first line is the password.
        broker_ca_file: authority that signed the broker's certificate; unset for no TLS.
        broker_cert_file, broker_key_file: our certificate where the broker asks for one.
        broker_group: workers of one group share the traffic.
        listen_workers: how many `listen` processes `run` starts.
        batch_messages, batch_ms: a batch is stored when so many messages wait or the first has waited so long.
        metrics_port: where `listen` answers /metrics on 127.0.0.1; 0 for nowhere.
        web_host, web_port: where the pages are.
        base_url: address that people reach the pages under, for links and QR labels; "" takes the request's.
        language: of notices, "vi" or "en".
        clock_factor, clock_origin_ms, clock_real_origin_ms: the clock of a demonstration; 1, 0, 0 is the real one.
        log_level: how much is said on standard error.
    """

    model_config = SettingsConfigDict(env_prefix="MONUOC_", extra="ignore", env_ignore_empty=True, frozen=True)

    data_dir: Path = Path("var")
    records_url: Annotated[str, AfterValidator(_address)] = ""
    history: Literal["embedded", "influx"] = "embedded"
    influx_url: str = Field(default="", pattern=r"^(https?://[^\s/]+/?)?$")
    influx_org: str = "-"
    influx_bucket: str = Field(default="monuoc/raw", pattern=r"^[^\s/\"'\\]+(/[^\s/\"'\\]+)?$")
    influx_timeout_s: float = Field(default=10, ge=0.1, le=300)
    influx_token_file: Readable = None
    history_max_bytes: int = Field(default=0, ge=0)
    rejects_max_bytes: int = Field(default=256 * 2**20, ge=2**20)
    broker_host: str = ""
    broker_port: Port = 1883
    broker_user: str = ""
    broker_password_file: Readable = None
    broker_ca_file: Readable = None
    broker_cert_file: Readable = None
    broker_key_file: Readable = None
    broker_group: str = Field(default="listen", pattern=r"^[A-Za-z0-9_-]{1,32}$")
    listen_workers: int = Field(default=1, ge=1, le=16)
    batch_messages: int = Field(default=400, ge=1, le=10_000)
    batch_ms: float = Field(default=20, ge=0, le=1000)
    metrics_port: int = Field(default=0, ge=0, le=65535)
    web_host: str = "127.0.0.1"
    web_port: Port = 8080
    base_url: str = Field(default="", pattern=r"^(https?://[^\s/]+(/\S*)?)?$")
    language: Literal["vi", "en"] = "vi"
    clock_factor: float = Field(default=1.0, gt=0, le=100_000)
    clock_origin_ms: int = Field(default=0, ge=0)
    clock_real_origin_ms: int = Field(default=0, ge=0)
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"

    @model_validator(mode="after")
    def _name_influx(self) -> "Settings":
        if self.history == "influx" and not self.influx_url:
            raise ValueError("MONUOC_HISTORY=influx needs MONUOC_INFLUX_URL, e.g. http://127.0.0.1:8086")
        return self

    def find_records_url(self) -> str:
        """SQLAlchemy address of the record store."""
        return self.records_url or f"sqlite:///{self.data_dir.absolute() / 'records.sqlite3'}"

    def find_history_path(self) -> Path:
        """File of the embedded history store."""
        return self.data_dir.absolute() / "history.sqlite3"

    def read_broker_password(self) -> str:
        """First line of the password's file, "" without one."""
        return _first_line(self.broker_password_file)

    def read_influx_token(self) -> str:
        """First line of the token's file, "" without one."""
        return _first_line(self.influx_token_file)


def _first_line(path: Path | None) -> str:
    return "" if path is None else path.read_text(encoding="utf-8").partition("\n")[0].strip()


def load_settings() -> Settings:
    """Settings from the environment; SettingsError names everything that is wrong at once."""
    try:
        return Settings()
    except ValidationError as error:
        faults = [
            f"  MONUOC_{'_'.join(map(str, fault['loc'])).upper()}={fault['input']!r}: {fault['msg']}"
            if fault["loc"]
            else f"  {fault['msg']}"
            for fault in error.errors()
        ]
        raise SettingsError("\n".join(["the settings are wrong:", *faults])) from None
