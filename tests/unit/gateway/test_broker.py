"""How long the link pauses between its tries."""

import itertools

import pytest

from gateway.broker import Addresses, Broker
from gateway.config import BrokerConfig

ADDRESSES = Addresses("a/data", "a/status", "a/ack", "a/command", "a/reply", "text/plain")


def pauses_of_a_link(count: int, monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Pauses that are set after failures on end, with the library's own thread left out."""
    link = Broker(BrokerConfig(), "try", ADDRESSES, b"")
    set_to: list[float] = []
    monkeypatch.setattr(link._client, "reconnect_delay_set", lambda least, most: set_to.append(most))
    monkeypatch.setattr(link._client, "loop_start", lambda: None)
    link.start(lambda: None)
    assert link._client.on_connect_fail
    for _ in range(count - 1):
        link._client.on_connect_fail(link._client, None)
    return set_to


def test_pauses_grow_to_at_most_half_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses = pauses_of_a_link(50, monkeypatch)
    assert 1 <= pauses[0] <= 2
    assert all(15 <= pause <= 30 for pause in pauses[5:])


def test_gateways_that_lost_one_broker_come_back_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    first = sorted(pauses_of_a_link(1, monkeypatch)[0] for _ in range(20))
    assert all(a < b for a, b in itertools.pairwise(first))
    assert first[-1] - first[0] > 0.3
