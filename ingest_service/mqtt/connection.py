"""Connection to the broker: MQTT 5, shared subscription, acknowledged by hand, reconnecting by itself.

One thread drives it by calling `pump`: nothing arrives or leaves behind one's back, so there are no locks and no queue
beyond the broker's own window (Receive Maximum).
"""

import logging
import os
import random
import select
import ssl
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from ingest_service.mqtt.buffered_socket import BufferedSocket

_log = logging.getLogger(__name__)

_KEEPALIVE_S: Final = 30
_MAX_WAIT_S: Final = 30.0
_MAX_PACKET_BYTES: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class BrokerAddress:
    """Where the broker is and how to enter.

    Attributes:
        host, port: its MQTT 5 listener.
        user, password: "" for none.
        ca_file: certificate authority that signed the broker's certificate; None for no TLS.
        cert_file, key_file: our own certificate where the broker asks for one.
        group: name of the shared subscription; workers of one group share the traffic.
        window: how many messages may be unacknowledged (Receive Maximum), 1 to 65,535.
    """

    host: str
    port: int
    user: str = ""
    password: str = ""
    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None
    group: str = "listen"
    window: int = 1000


class Message(NamedTuple):
    """A message as it came.

    Attributes:
        topic: where it was published; bytes that are no UTF-8 stand escaped.
        payload: its body.
        encoding: user property `encoding`, "" without.
        response_topic: where the sender wants its answer; None without.
        correlation: what an answer must bear; None without.
        mid, session: for acknowledging.
    """

    topic: str
    payload: bytes
    encoding: str
    response_topic: str | None
    correlation: bytes | None
    mid: int
    session: int


class _Client(paho.Client):
    """paho over a `BufferedSocket`."""

    buffered: BufferedSocket | None = None

    def _create_socket(self) -> Any:  # noqa: ANN401 - paho's own type lacks half of a socket
        self.buffered = BufferedSocket(super()._create_socket())  # type: ignore[arg-type]  # no websocket here
        return self.buffered


class Connection:
    """Receives at QoS 1 and publishes answers at QoS 0.

    Args:
        address: the broker.
        shared: topic filters whose messages go to one worker of the address's share group each.
        own: topic filters whose messages go to every worker, retained ones at once (a share gets no retained ones).
    """

    def __init__(self, address: BrokerAddress, shared: Sequence[str], own: Sequence[str] = ()) -> None:
        self._address = address
        self._filters = [*(f"$share/{address.group}/{name}" for name in shared), *own]
        self._session = 0
        self._inbox: list[Message] = []
        self._next_try_s = 0.0
        self._failures = 0
        self._last_misc_s = 0.0
        self.connected = False
        self._client = self._make_client()

    def pump(self, timeout_s: float) -> list[Message]:
        """Wait up to `timeout_s` for traffic; messages that have arrived, in order. Reconnects when due."""
        if self._client.socket() is None and not self._reconnect(timeout_s):
            return []
        self._exchange(timeout_s)
        now_s = time.monotonic()
        if now_s - self._last_misc_s > 1:
            self._last_misc_s = now_s
            self._client.loop_misc()
        inbox, self._inbox = self._inbox, []
        return inbox

    def acknowledge(self, messages: Sequence[Message]) -> None:
        """Tell the broker, in order, that these need not be sent again. Those of a lost session are passed over."""
        for message in messages:
            if message.session == self._session and message.mid:
                self._client.ack(message.mid, 1)

    def publish(self, topic: str, payload: bytes) -> None:
        """Send once, without guarantee; lost when not connected."""
        if self.connected:
            self._client.publish(topic, payload, qos=0)

    def flush(self) -> None:
        """Let go out what was acknowledged and published."""
        self._exchange(0)

    def close(self) -> None:
        """Take leave of the broker; harmless when not connected."""
        self._client.disconnect()
        self.connected = False

    def _make_client(self) -> _Client:
        name = f"monuoc-{self._address.group}-{os.getpid()}-{random.getrandbits(32):08x}"
        client = _Client(CallbackAPIVersion.VERSION2, name, protocol=paho.MQTTv5, manual_ack=True)
        client.connect_timeout = 5.0
        if self._address.user:
            client.username_pw_set(self._address.user, self._address.password)
        if self._address.ca_file is not None:
            tls = ssl.create_default_context(cafile=self._address.ca_file)
            if self._address.cert_file is not None:
                tls.load_cert_chain(self._address.cert_file, self._address.key_file)
            client.tls_set_context(tls)
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_message = self._on_message
        return client

    def _reconnect(self, timeout_s: float) -> bool:
        wait_s = self._next_try_s - time.monotonic()
        if wait_s > 0:
            time.sleep(min(wait_s, timeout_s))
            return False
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        properties.ReceiveMaximum = self._address.window
        properties.MaximumPacketSize = _MAX_PACKET_BYTES
        # Should the connection be lost before the broker answers, that counts as a failure too.
        self._failures += 1
        pause_s = min(_MAX_WAIT_S, 0.2 * 2 ** min(self._failures - 1, 10))
        self._next_try_s = time.monotonic() + pause_s * random.uniform(0.5, 1)  # noqa: S311 - spreads load, no secret
        try:
            self._client.connect(self._address.host, self._address.port, _KEEPALIVE_S, properties=properties)
        except OSError as error:
            if self._failures in {1, 5} or self._failures % 20 == 0:
                _log.warning("broker %s:%d: %s; trying again", self._address.host, self._address.port, error)
            return False
        return True

    def _exchange(self, timeout_s: float) -> None:
        buffered = self._client.buffered
        if buffered is None or self._client.socket() is None:
            return
        buffered.flush()
        outgoing = [buffered] if buffered.has_unsent() else []
        readable, _, _ = select.select([buffered], outgoing, [], timeout_s)
        if readable:
            buffered.fill()
        while self._client.socket() is not None and buffered.has_more():
            self._client.loop_read()
        if self._client.want_write():
            self._client.loop_write()
        if self._client.socket() is not None:
            buffered.flush()

    def _on_connect(
        self, client: paho.Client, _data: object, _flags: object, reason: ReasonCode, _more: object
    ) -> None:
        if reason.is_failure:
            _log.error("the broker refuses us: %s; check user, password and its access list", reason)
            return
        self.connected, self._failures = True, 0
        self._session += 1
        client.subscribe([(name, SubscribeOptions(qos=1)) for name in self._filters])
        _log.info("connected to the broker %s:%d", self._address.host, self._address.port)

    def _on_disconnect(
        self, _client: paho.Client, _data: object, _flags: object, reason: ReasonCode, _more: object
    ) -> None:
        self.connected = False
        _log.warning("disconnected from the broker: %s", reason)

    def _on_message(self, _client: paho.Client, _data: object, message: paho.MQTTMessage) -> None:
        try:
            topic = message.topic
        except UnicodeDecodeError as error:
            topic = error.object.decode("utf-8", "backslashreplace")
        said = vars(message.properties) if message.properties is not None else {}
        pairs = said.get("UserProperty", ())
        encoding = next((value for name, value in pairs if name == "encoding"), "") if pairs else ""
        self._inbox.append(
            Message(
                topic,
                bytes(message.payload),
                encoding,
                said.get("ResponseTopic"),
                said.get("CorrelationData"),
                message.mid if message.qos else 0,
                self._session,
            )
        )
