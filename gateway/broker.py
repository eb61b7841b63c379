"""The link to the MQTT 5 broker: connects, connects again, publishes, hands over what comes in."""

import logging
import random
import ssl
import sys
import threading
from collections import deque
from collections.abc import Callable
from typing import Final, NamedTuple

from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from gateway.config import BrokerConfig

log = logging.getLogger(__name__)

_FIRST_PAUSE_S: Final = 2.0
_LONGEST_PAUSE_S: Final = 30.0
_MOST_UNACKNOWLEDGED: Final = 64
"""Messages that paho may keep for the broker; more would be memory without bound."""
_MOST_WAITING: Final = 256


class Addresses(NamedTuple):
    """Topics of this gateway, and how its packs are labelled."""

    data: str
    status: str
    ack: str
    command: str
    reply: str
    content_type: str


class Broker:
    """One connection to one broker, tended by a thread of its own.

    The thread's callbacks only take note and set `wake`; a fault in them is raised in that thread, where
    `threading.excepthook` ends the process. What comes in is fetched by `take_answers` and `take_commands`.

    Attributes:
        session: how many times a connection has been made; the relay sees by it that one is new.
        connected: whether the broker has accepted us and will bring us answers.
    """

    def __init__(self, config: BrokerConfig, gateway: str, addresses: Addresses, will: bytes) -> None:
        self.session = 0
        self.connected = False
        self._failures = 0
        self._told_refusal = False
        self._config = config
        self._addresses = addresses
        self._will = will
        self._answers: deque[bytes] = deque(maxlen=_MOST_WAITING)
        self._commands: deque[bytes] = deque(maxlen=_MOST_WAITING)
        self._wake: Callable[[], None] = threading.Event().set
        self._client = Client(
            CallbackAPIVersion.VERSION2, client_id=f"monuoc-{gateway}", protocol=MQTTProtocolVersion.MQTTv5
        )

    def start(self, wake: Callable[[], None]) -> None:
        """Begin to connect, for as long as it takes; does not wait for it.

        Args:
            wake: called from the broker's thread when there is something new to look at.

        Raises:
            OSError: a certificate or password file cannot be read (ssl.SSLError for a wrong one).
        """
        self._wake = wake
        client, config = self._client, self._config
        client.max_queued_messages_set(_MOST_UNACKNOWLEDGED)
        client.on_connect = self._on_connect
        client.on_subscribe = self._on_subscribe
        client.on_connect_fail = self._on_connect_fail
        client.on_disconnect = self._on_disconnect
        client.on_message = self._on_message
        client.on_publish = self._on_publish
        if config.username:
            secret = config.password_file.read_text(encoding="utf-8").strip() if config.password_file else None
            client.username_pw_set(config.username, secret)
        if config.tls_ca:
            ca, cert, key = (str(file) if file else None for file in (config.tls_ca, config.tls_cert, config.tls_key))
            client.tls_set(ca_certs=ca, certfile=cert, keyfile=key)
        client.will_set(self._addresses.status, self._will, qos=1, retain=True)
        self._choose_pause()
        client.connect_async(config.host, config.port, keepalive=config.keepalive_s, clean_start=True)
        client.loop_start()

    def publish_pack(self, pack_id: str, payload: bytes, encoding: str) -> bool:
        """Hand a pack to the broker, asking the server to answer for it by `pack_id`; False if it cannot be now."""
        properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]  # paho's
        properties.ResponseTopic = self._addresses.ack
        properties.CorrelationData = pack_id.encode()
        properties.ContentType = self._addresses.content_type
        if encoding:
            properties.UserProperty = ("encoding", encoding)
        return self._publish(self._addresses.data, payload, properties=properties)

    def publish_status(self, payload: bytes) -> bool:
        """Replace the retained status."""
        return self._publish(self._addresses.status, payload, retain=True)

    def publish_reply(self, payload: bytes) -> bool:
        """Answer a remote command."""
        return self._publish(self._addresses.reply, payload)

    def take_answers(self) -> list[bytes]:
        """Answers of the server that have come since the last call, the newest 256."""
        return _drain(self._answers)

    def take_commands(self) -> list[bytes]:
        """Remote commands that have come since the last call, the newest 256."""
        return _drain(self._commands)

    def stop(self) -> None:
        """Say goodbye as the will would, then end the thread."""
        if self.connected:
            info = self._client.publish(self._addresses.status, self._will, qos=1, retain=True)
            if info.rc == MQTTErrorCode.MQTT_ERR_SUCCESS:
                info.wait_for_publish(timeout=2)
        self._client.disconnect()
        self._client.loop_stop()
        self.connected = False

    def _publish(
        self, topic: str, payload: bytes, *, retain: bool = False, properties: Properties | None = None
    ) -> bool:
        if not self.connected:
            return False
        info = self._client.publish(topic, payload, qos=1, retain=retain, properties=properties)
        return info.rc == MQTTErrorCode.MQTT_ERR_SUCCESS

    def _on_connect(
        self, client: Client, _data: object, _flags: ConnectFlags, reason: ReasonCode, _properties: Properties | None
    ) -> None:
        self._told_refusal = reason.is_failure
        if reason.is_failure:
            words = "look at username and password_file under [broker]"
            log.error("the broker %s refuses us: %s; %s", self._name(), reason, words)
            return
        client.subscribe([(self._addresses.ack, 0), (self._addresses.command, 1)])

    def _on_subscribe(
        self, _client: Client, _data: object, _mid: int, reasons: list[ReasonCode], _properties: Properties | None
    ) -> None:
        """Only now may packs go out: an answer that comes before the subscription stands would be lost."""
        if any(reason.is_failure for reason in reasons):
            self._told_refusal = True
            log.error("the broker %s lets us hear no answers: %s", self._name(), self._ask_for_access("read", "ack"))
            return
        self.session += 1
        self.connected = True
        log.info("connected to the broker %s", self._name())
        self._wake()

    def _on_publish(
        self, _client: Client, _data: object, _mid: int, reason: ReasonCode, _properties: Properties | None
    ) -> None:
        """Only an access list can refuse here (some brokers then hang up); told once for each connection."""
        if not reason.is_failure:
            self._failures = 0
        elif not self._told_refusal:
            self._told_refusal = True
            words = self._ask_for_access("write", "data, status and reply")
            log.error("the broker %s takes nothing from us: %s; %s", self._name(), reason, words)

    def _on_connect_fail(self, _client: Client, _data: object) -> None:
        fault = sys.exception()  # paho calls from where it has caught it
        if isinstance(fault, ssl.SSLCertVerificationError):
            words = f"has no certificate that we trust: {fault.verify_message} Look at tls_ca and host under [broker]"
        elif isinstance(fault, ssl.SSLError):
            words = f"speaks no TLS with us: {fault}. Look at port and tls_ca under [broker]"
        else:
            words = f"cannot be reached: {fault}"
        log.warning("the broker %s %s; trying again", self._name(), words)
        self._choose_pause()

    def _on_disconnect(
        self,
        _client: Client,
        _data: object,
        _flags: DisconnectFlags,
        reason: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        if self.connected:
            log.warning("the link to the broker %s has ended: %s", self._name(), reason)
        elif not self._told_refusal:
            words = "" if self._config.tls_ca else "; does this port want TLS? Then set tls_ca under [broker]"
            log.warning("the broker %s hung up before it had accepted us%s", self._name(), words)
        self.connected = False
        self._choose_pause()
        self._wake()

    def _on_message(self, _client: Client, _data: object, message: MQTTMessage) -> None:
        if message.topic == self._addresses.ack:
            self._answers.append(bytes(message.payload))
        elif not message.retain:  # a command is meant now or not at all
            self._commands.append(bytes(message.payload))
        self._wake()

    def _choose_pause(self) -> None:
        """The next pause: up to twice as long with each failure; gateways that lost one broker come back apart."""
        longest_s = min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2 ** min(self._failures, 10))
        pause_s = longest_s * random.uniform(0.5, 1)  # noqa: S311 - jitter
        self._client.reconnect_delay_set(pause_s, pause_s)  # paho takes fractions as well
        self._failures += 1

    def _ask_for_access(self, deed: str, kinds: str) -> str:
        own = self._addresses.data.rpartition("/")[0]
        user = self._config.username or "(none)"
        return f"its access list must let user {user} {deed} {kinds} below {own}; is username the gateway's id?"

    def _name(self) -> str:
        return f"{self._config.host}:{self._config.port}"


def _drain(queue: deque[bytes]) -> list[bytes]:
    taken = []
    while queue:
        taken.append(queue.popleft())
    return taken
