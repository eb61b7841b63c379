"""Receive packs, hand them in batches to the intake, answer after the commit."""

import logging
import random
import time
from collections.abc import Callable
from typing import Final

from ingest_service.mqtt.connection import Connection, Message
from ingest_service.mqtt.intake import Intake
from ingest_service.mqtt.metrics import ListenFigures
from ingest_service.services.ports import StoreUnavailableError

_log = logging.getLogger(__name__)

_IDLE_S: Final = 0.2
_MAX_PAUSE_S: Final = 10.0
_BATCH_BYTES: Final = 4 * 1024 * 1024
_MAX_WAITING_BYTES: Final = 32 * 1024 * 1024


class Listener:
    """One worker of the shared subscription.

    Args:
        connection: to the broker; its window should be at least twice `batch_messages`.
        intake: takes batches in.
        figures: counts.
        batch_messages: a batch is taken in when so many messages wait ...
        batch_s: ... or when the first of them has waited so long.
    """

    def __init__(
        self,
        connection: Connection,
        intake: Intake,
        figures: ListenFigures,
        *,
        batch_messages: int = 400,
        batch_s: float = 0.02,
    ) -> None:
        self._connection = connection
        self._intake = intake
        self._figures = figures
        self._batch_messages = batch_messages
        self._batch_s = batch_s
        self._waiting: list[Message] = []
        self._waiting_bytes = 0
        self._due_s = 0.0
        self._failures = 0

    def run(self, stopping: Callable[[], bool]) -> None:
        """Listen until `stopping()`; what then waits is neither stored nor acknowledged, so it comes again."""
        while not stopping():
            now_s = time.monotonic()
            timeout_s = _IDLE_S if not self._waiting else min(_IDLE_S, max(0.0, self._due_s - now_s))
            self._receive(self._connection.pump(timeout_s))
            self._figures.connected.set(self._connection.connected)
            self._intake.note_hearing(hears=self._connection.connected and not self._failures)
            if self._waiting and self._is_due(time.monotonic()):
                self._take()
        self._connection.close()

    def _receive(self, messages: list[Message]) -> None:
        if messages and not self._waiting:
            self._due_s = time.monotonic() + self._batch_s
        for number, message in enumerate(messages):
            if self._waiting_bytes > _MAX_WAITING_BYTES:
                # Only while the store fails. The broker may forget them: unanswered, their senders repeat them.
                self._connection.acknowledge(messages[number:])
                self._figures.dropped(len(messages) - number)
                return
            self._waiting.append(message)
            self._waiting_bytes += len(message.payload) + 200

    def _is_due(self, now_s: float) -> bool:
        if self._failures:
            return now_s >= self._due_s
        full = len(self._waiting) >= self._batch_messages or self._waiting_bytes >= _BATCH_BYTES
        return full or now_s >= self._due_s

    def _take(self) -> None:
        batch = self._waiting[: 2 * self._batch_messages]
        began_s = time.monotonic()
        try:
            outcome = self._intake.take(batch)
        except StoreUnavailableError as error:
            self._put_off(error)
            return
        if self._failures:
            _log.warning("the store takes readings again")
            self._failures = 0
        for topic, answer in outcome.answers.items():
            self._connection.publish(topic, answer)
        self._connection.acknowledge(batch[: outcome.messages])
        self._connection.flush()
        self._figures.taken(outcome, time.monotonic() - began_s)
        del self._waiting[: outcome.messages]
        self._waiting_bytes = sum(len(message.payload) + 200 for message in self._waiting)
        self._due_s = began_s  # what is left has waited long enough

    def _put_off(self, error: StoreUnavailableError) -> None:
        self._failures += 1
        self._figures.failed()
        pause_s = min(_MAX_PAUSE_S, 0.1 * 2 ** min(self._failures - 1, 10))
        self._due_s = time.monotonic() + pause_s * random.uniform(0.5, 1)  # noqa: S311 - spreads load, no secret
        if self._failures in {1, 5} or self._failures % 20 == 0:
            _log.warning("the store takes nothing (%s); %d messages wait unanswered", error, len(self._waiting))
