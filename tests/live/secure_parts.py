"""The shipped broker configuration with certificates and passwords made on the spot, and who is let in how."""

import getpass
import subprocess
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from tests.support.broker import Mosquitto
from tests.support.programs import need_program
from tests.support.wait import until

SHIPPED = Path(__file__).parents[2] / "deploy" / "mosquitto"
SERVER, GATEWAY, OTHER = "monuoc", "lung-sau", "na-lung"
"""Users of the broker: as the shipped access list calls the server, and two gateways."""


def run_openssl(folder: Path, *words: str) -> None:
    subprocess.run([need_program("openssl"), *words], cwd=folder, check=True, capture_output=True)


def make_authority(folder: Path) -> Path:
    """A certificate authority; the path of its certificate."""
    folder.mkdir()
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", "ca.key"]
    run_openssl(folder, "req", "-x509", *key, "-out", "ca.crt", "-days", "2", "-subj", f"/CN={folder.name}")
    return folder / "ca.crt"


def make_certificate(folder: Path, authority: Path, names: str) -> None:
    """broker.crt and broker.key for these subject alternative names."""
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", "broker.key"]
    run_openssl(folder, "req", *key, "-out", "broker.csr", "-subj", "/CN=broker")
    (folder / "names").write_text(f"subjectAltName={names}\n")
    signer = ["-CA", str(authority), "-CAkey", str(authority.with_name("ca.key")), "-CAcreateserial"]
    run_openssl(
        folder, "x509", "-req", "-in", "broker.csr", *signer, "-out", "broker.crt", "-days", "2", "-extfile", "names"
    )


@dataclass
class Secure:
    """A folder as /etc/mosquitto/monuoc, and the broker that uses it.

    Attributes:
        ca: the authority that signed the broker's certificate.
    """

    folder: Path
    broker: Mosquitto
    ca: Path

    @classmethod
    def make(cls, folder: Path, names: str = "IP:127.0.0.1") -> "Secure":
        own = folder / "monuoc"
        own.mkdir()
        ca = make_authority(folder / "authority")
        make_certificate(own, ca, names)
        (own / "ca.crt").write_bytes(ca.read_bytes())
        (own / "acl").write_bytes((SHIPPED / "acl").read_bytes())
        (own / "passwd").touch(0o600)
        for user in (SERVER, GATEWAY, OTHER):
            subprocess.run(
                [need_program("mosquitto_passwd"), "-b", str(own / "passwd"), user, f"secret of {user}"],
                check=True,
                capture_output=True,
            )
            (folder / f"{user}.password").write_text(f"secret of {user}\n")
        config = (SHIPPED / "mosquitto.conf").read_text()
        config = config.replace("/etc/mosquitto/monuoc", str(own)).replace("/var/lib/mosquitto", str(own))
        config = config.replace("listener 8883", "listener PORT 127.0.0.1")
        return cls(folder, Mosquitto(folder, f"user {getpass.getuser()}", config), ca)

    def password_file(self, user: str) -> Path:
        return self.folder / f"{user}.password"

    def gateway_lines(self, user: str = GATEWAY, ca: Path | None = None, password_of: str = "") -> str:
        """Lines of [broker] in a gateway's configuration."""
        secret = self.password_file(password_of or user)
        return f'username = "{user}"\npassword_file = "{secret}"\ntls_ca = "{ca or self.ca}"'

    def server_settings(self, ca: Path | None = None, password_of: str = SERVER) -> dict[str, str]:
        """Settings of the server, but for the address."""
        return {
            "broker_user": SERVER,
            "broker_password_file": str(self.password_file(password_of)),
            "broker_ca_file": str(ca or self.ca),
        }

    def __enter__(self) -> Self:
        self.broker.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.broker.kill()


class Guest:
    """A plain client of one user that notes what it hears, and what is refused to it."""

    def __init__(self, secure: Secure, user: str) -> None:
        self.heard: list[tuple[str, bytes]] = []
        self._user = user
        self._refused: dict[int, bool] = {}
        self._subscribed = threading.Event()
        self._client = paho.Client(CallbackAPIVersion.VERSION2, protocol=paho.MQTTv5)
        self._client.username_pw_set(user, f"secret of {user}")
        self._client.tls_set(str(secure.ca))
        self._client.on_message = lambda _c, _d, message: self.heard.append((message.topic, message.payload))
        self._client.on_subscribe = lambda *_: self._subscribed.set()
        self._client.on_publish = lambda _c, _d, mid, reason, _p: self._refused.__setitem__(mid, reason.is_failure)
        self._client.reconnect_delay_set(0.01, 0.01)  # type: ignore[arg-type]  # mosquitto 2.0.11 hangs up when it refuses
        self._client.connect("127.0.0.1", secure.broker.port)
        self._client.loop_start()
        until(self._client.is_connected)

    def hear_all(self) -> None:
        self._client.subscribe([("#", 1), (f"$share/{self._user}/#", 1)])
        assert self._subscribed.wait(10)

    def may_publish(self, topic: str, payload: bytes = b"x") -> bool:
        """Publish; whether the broker took it."""
        until(self._client.is_connected)
        info = self._client.publish(topic, payload, qos=1)
        until(lambda: info.mid in self._refused)
        return not self._refused[info.mid]

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
