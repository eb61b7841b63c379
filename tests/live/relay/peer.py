"""The server's side of the wire, as small as can be: keeps points in memory and answers as it is told."""

import threading
from collections.abc import Callable
from typing import Any, Self

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from gateway.wire import PackError, build_filter, decode_pack, encode_answer
from tests.support.wait import until

Point = tuple[float | None, int]
Answers = list[bytes]


class Peer:
    """Answers each pack by `policy`; what it has answered `ok` for is in `points`.

    Attributes:
        policy: from a pack's id to the answers to send, in order; by default one `ok`.
        points: (node, channel, at_ms) -> (value, q).
        changed: points that came again with another value or code.
        packs: (id, number of points) of each pack as it came.
    """

    def __init__(self, port: int) -> None:
        self.policy: Callable[[str], Answers] = lambda pack_id: [encode_answer([pack_id], {})]
        self.points: dict[tuple[str, str, int], Point] = {}
        self.changed: list[tuple[Any, Point, Point]] = []
        self.packs: list[tuple[str, int]] = []
        self._port = port
        self._client: Client | None = None
        self._subscribed = threading.Event()

    def start(self) -> "Peer":
        client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
        client.on_connect = lambda *_: client.subscribe(build_filter("data"), 1)
        client.on_subscribe = lambda *_: self._subscribed.set()
        client.on_message = self._take
        client.reconnect_delay_set(1, 1)
        client.connect_async("127.0.0.1", self._port)
        client.loop_start()
        self._client = client
        return self

    def wait_ready(self) -> "Peer":
        assert self._subscribed.wait(10)
        return self

    def stop(self) -> None:
        if self._client:
            self._client.disconnect()
            self._client.loop_stop()
            self._client = None

    def __enter__(self) -> Self:
        return self.start().wait_ready()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _take(self, client: Client, _data: Any, message: MQTTMessage) -> None:
        properties = message.properties
        pack_id = properties.CorrelationData.decode()
        encoding = dict(getattr(properties, "UserProperty", [])).get("encoding", "")
        assert properties.ContentType == "application/senml+json"
        try:
            runs = decode_pack(message.payload, encoding)
        except PackError as error:
            client.publish(properties.ResponseTopic, encode_answer([], {pack_id: error.reason}))
            return
        answers = self.policy(pack_id)
        self.packs.append((pack_id, sum(len(run.at_ms) for run in runs)))
        for run in runs:
            for at_ms, value, q in zip(run.at_ms, run.value, run.q, strict=True):
                key, point = (run.node, run.channel, at_ms), (value, q)
                if self.points.setdefault(key, point) != point:
                    self.changed.append((key, self.points[key], point))
        for answer in answers:
            client.publish(properties.ResponseTopic, answer)

    def wait_points(self, count: int, timeout_s: float = 20) -> None:
        until(lambda: len(self.points) >= count, timeout_s, f"for {count} points, {len(self.points)} came")
