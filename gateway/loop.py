"""The running gateway: all parts together, turned by one thread."""

import json
import logging
import os
import queue
import select
import threading
import time
from collections import OrderedDict
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Final

from gateway.broker import Addresses, Broker
from gateway.clock import open_clock
from gateway.collect import Collector, newest_believed
from gateway.config import GatewayConfig
from gateway.control import Control
from gateway.heartbeat import OFFLINE, Supervisor, describe
from gateway.relay import Relay
from gateway.sources import NoAnswerError, UnknownNodeError, open_lines
from gateway.spool import Limits, Spool
from gateway.wire import (
    CONTENT_TYPE,
    AnswerError,
    Command,
    CommandError,
    build_pack,
    build_topic,
    decode_answer,
    decode_command,
    encode_reply,
)

log = logging.getLogger(__name__)

HOLD_MS: Final = 15 * 60_000
"""How long after the start frames wait for a believable clock; then, and from then on, they go marked."""

_CLOCK_CHECK_S: Final = 2.0
_LONGEST_WAIT_S: Final = 1.0
_BUG: Final = 70
_REPLIES_KEPT: Final = 64


class Bell:
    """Wakes the main loop from any thread or signal."""

    def __init__(self) -> None:
        self._number = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)

    def ring(self) -> None:
        """Let the present or next `wait` return."""
        os.eventfd_write(self._number, 1)

    def wait(self, timeout_s: float) -> None:
        """Return when the bell rings, at the latest after `timeout_s`."""
        if select.select([self._number], [], [], timeout_s)[0]:
            os.eventfd_read(self._number)


class Gateway:
    """All parts of one gateway."""

    def __init__(self, config: GatewayConfig, spool: Spool) -> None:
        clock = open_clock(config.clock, newest_believed(spool.state()))
        self._config = config
        self._version = _read_version()
        self._spool = spool
        self._clock = clock
        self._collector = Collector(config.nodes, spool, clock.now, clock.boot)
        self._lines = open_lines(config, self._collector.hear, self._collector.note_bad, lambda: clock.now().at_ms)
        self._broker = Broker(config.broker, config.id, _name_addresses(config.id), OFFLINE)
        self._relay = Relay(spool, self._broker, build_pack, config.relay)
        self._control = Control(config.data_dir, self._answer)
        self._commands: queue.Queue[bytes] = queue.Queue(maxsize=16)
        self._replied: OrderedDict[str, tuple[Command, bytes]] = OrderedDict()
        self._supervisor = Supervisor(os.environ)
        self._bell = Bell()
        self._started_mono_ms = clock.now().mono_ms
        self._stopping = False
        self._faulty = False
        self._beat_due_s = self._clock_due_s = 0.0
        self._beaten_session = 0

    @classmethod
    def open(cls, config: GatewayConfig) -> "Gateway":
        """Open the spool and put the parts together; nothing runs yet.

        Raises:
            sqlite3.Error: the spool cannot be opened.
            OSError: the data folder cannot be made.
        """
        config.data_dir.mkdir(parents=True, exist_ok=True)
        limits = Limits(config.spool.max_bytes, commit_interval_s=config.spool.commit_interval_s)
        return cls(config, Spool.open(config.data_dir / "spool.db", limits))

    def run(self) -> int:
        """Turn until asked to stop; 0, or 70 when a thread has failed."""
        self._collector.start()
        self._control.start()
        self._broker.start(self._bell.ring)
        threading.Thread(target=self._obey_remote, name="commands", daemon=True).start()
        self._lines.start()
        self._supervisor.tell("READY=1")
        log.info("gateway %s %s runs; %d frames wait in the spool", self._config.id, self._version, self._spool.depth())
        try:
            while not self._stopping:
                self._bell.wait(self._turn())
        finally:
            self._end()
        return _BUG if self._faulty else 0

    def ask_to_stop(self) -> None:
        """End the loop soon; may be called from a signal."""
        self._stopping = True
        self._bell.ring()

    def note_fault(self, fault: threading.ExceptHookArgs) -> None:
        """A thread has failed: that is a bug, so the process ends and its supervisor starts it anew."""
        words = (fault.exc_type, fault.exc_value or fault.exc_type(), fault.exc_traceback)
        log.critical("thread %s failed", fault.thread.name if fault.thread else "?", exc_info=words)
        self._faulty = True
        self.ask_to_stop()

    def _turn(self) -> float:
        """Do all that is due; seconds until something may be due again."""
        self._supervisor.tell_alive()
        for payload in self._broker.take_answers():
            self._take_answer(payload)
        for payload in self._broker.take_commands():
            self._take_command(payload)
        self._mind_clock()
        if self._spool.seconds_to_commit() == 0:
            self._spool.commit()
        overdue_s = self._relay.turn()
        self._beat()
        waits = (_LONGEST_WAIT_S, overdue_s, self._spool.seconds_to_commit())
        return min(wait for wait in waits if wait is not None)

    def _end(self) -> None:
        log.info("ending")
        self._supervisor.tell("STOPPING=1")
        self._lines.close()
        self._spool.commit()
        self._relay.turn()
        self._broker.stop()
        for payload in self._broker.take_answers():
            self._take_answer(payload)
        self._control.stop()
        self._spool.close()
        log.info("ended; %d frames wait in the spool", self._spool.depth())

    def _mind_clock(self) -> None:
        if time.monotonic() < self._clock_due_s:
            return
        self._clock_due_s = time.monotonic() + _CLOCK_CHECK_S
        offset_ms = self._clock.check()
        if offset_ms is not None:
            self._spool.restamp(self._clock.boot, offset_ms)
        now = self._clock.now()
        patient = now.believed or now.mono_ms - self._started_mono_ms < HOLD_MS
        self._spool.hold(wait=patient)
        self._spool.release(self._clock.boot, 0 if patient else now.mono_ms)

    def _beat(self) -> None:
        """Publish the heartbeat when it is due, and at once on a new connection."""
        session = self._broker.session
        if time.monotonic() < self._beat_due_s and session == self._beaten_session:
            return
        if self._broker.connected and self._broker.publish_status(json.dumps(self._describe()).encode()):
            self._beaten_session = session
        self._beat_due_s = time.monotonic() + self._config.heartbeat.interval_s

    def _describe(self) -> dict[str, object]:
        config, nodes = self._config, self._collector.nodes()
        interval_s = config.heartbeat.interval_s * config.clock.factor
        return describe(self._clock, self._spool, nodes, config.data_dir, self._version, interval_s=interval_s)

    def _take_answer(self, payload: bytes) -> None:

        try:
            answer = decode_answer(payload)
        except AnswerError as error:
            log.warning("an answer of the server cannot be understood: %s", error)
            return
        self._relay.take_answer(answer.ok, answer.rejected)

    def _take_command(self, payload: bytes) -> None:
        try:
            self._commands.put_nowait(payload)
        except queue.Full:
            log.warning("too many remote commands at once: one is dropped")

    def _obey_remote(self) -> None:

        while True:
            payload = self._commands.get()
            try:
                command = decode_command(payload)
            except CommandError as error:
                log.warning("a remote command cannot be understood: %s", error)
                continue
            self._broker.publish_reply(self._obey(command))

    def _obey(self, command: Command) -> bytes:
        """The reply; a command that comes again by its id is not obeyed again, its reply goes out again.

        Only the last 64 are known, and none after a restart.
        """
        earlier = self._replied.get(command.id)
        if earlier is None:
            answer = self._ask_node(command.node, command.verb, command.args)
            fields = answer.get("fields")
            words = str(answer.get("error", ""))
            earlier = command, encode_reply(command.id, fields if isinstance(fields, dict) else None, words)
            self._replied[command.id] = earlier
            if len(self._replied) > _REPLIES_KEPT:
                self._replied.popitem(last=False)
        known, reply = earlier
        return (
            reply if known == command else encode_reply(command.id, None, "this id was another command's: take a new")
        )

    def _answer(self, question: Mapping[str, object]) -> Mapping[str, object]:
        """Answer over the control socket."""
        args = question.get("args", {})
        if question.get("do") == "status":
            return self._describe()
        if question.get("do") == "send" and isinstance(args, dict):
            return self._ask_node(str(question.get("node")), str(question.get("verb")), args)
        return {"error": "known questions are status and send"}

    def _ask_node(self, node: str, verb: str, args: Mapping[str, object]) -> dict[str, object]:

        words = {key: value if isinstance(value, int) else str(value) for key, value in args.items()}
        log.info("asking node %s: %s %s", node, verb, words)
        try:
            frame = self._lines.send(node, verb, words)
        except (NoAnswerError, UnknownNodeError, ValueError, OSError) as error:
            return {"error": str(error) or type(error).__name__}
        if frame.kind == "N":
            return {"error": f"{node} refuses: {frame.fields.get('ec', 'no reason given')}"}
        return {"fields": dict(frame.fields)}


def _name_addresses(gateway: str) -> Addresses:

    topics = {kind: build_topic(gateway, kind) for kind in ("data", "status", "ack", "command", "reply")}
    return Addresses(**topics, content_type=CONTENT_TYPE)


def _read_version() -> str:

    try:
        return version("monuoc")
    except PackageNotFoundError:
        return "unknown"
