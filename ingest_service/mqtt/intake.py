"""Take a batch of messages in: decode, record, store durably; say what each is to be answered."""

import contextlib
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from ingest_service.mqtt import translate
from ingest_service.mqtt.connection import Message
from ingest_service.services.hearing import EAR, Heard
from ingest_service.services.ports import (
    Heartbeat,
    Now,
    Observations,
    PointsRefusedError,
    Records,
    Reject,
    StoreUnavailableError,
)
from ingest_service.services.record import Arrived, Recorded, Recorder, Refused

_MAX_ID_BYTES = 64
_MAX_READINGS = 250_000
_REGISTER_EVERY_S = 0.5
_NOTE_EVERY_MS, _NOTE_EVERY_S = 60_000, 0.2
_LONGEST_BREAK_MS = 300_000


class Outcome(NamedTuple):
    """What became of a batch.

    Attributes:
        messages: how many of them were taken in, from the first on; at least one.
        answers: body by topic, to be published.
        packs, readings, stored, heartbeats: how many came, and how many observations were written.
        rejects: what was kept, by reason.
    """

    messages: int
    answers: Mapping[str, bytes]
    packs: int
    readings: int
    stored: int
    heartbeats: int
    rejects: Mapping[str, int]


class _Pack(NamedTuple):
    """A pack that could be decoded, with the place of its runs among all of the batch."""

    message: Message
    gateway: str
    id: str | None
    first_run: int
    end_run: int


@dataclass(slots=True)
class _Batch:
    """What is known of a batch while it is taken in."""

    received_ms: int
    messages: int = 0
    readings: int = 0
    packs: list[_Pack] = field(default_factory=list)
    runs: list[Arrived] = field(default_factory=list)
    heartbeats: list[Heartbeat] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)
    ok: defaultdict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    rejected: defaultdict[str, dict[str, str]] = field(default_factory=lambda: defaultdict(dict))

    def refuse(self, message: Message, gateway: str, pack_id: str | None, error: translate.WireError) -> None:
        """Keep a message as a reject, and answer its sender where that is possible."""
        self.keep(message, error.reason, error.detail)
        if pack_id is not None:
            self.rejected[gateway][pack_id] = error.reason

    def keep(self, message: Message, reason: str, detail: str) -> None:
        """Keep a message as a reject."""
        self.rejects.append(Reject(self.received_ms, message.topic, message.payload, reason, detail))


class Intake:
    """The door of the server: nothing that came through it is lost, whatever it was.

    Args:
        observations: where good readings go, in one durable write a batch.
        records: the register, the rejects, the heartbeats.
        now: the present instant.
    """

    def __init__(self, observations: Observations, records: Records, now: Now) -> None:
        self._observations = observations
        self._records = records
        self._now = now
        self._recorder: Recorder | None = None
        self._version = -1
        self._register_due_s = 0.0
        self._ear = Heard(0, 0)
        self._noted_ms = 0
        self._note_due_s = 0.0

    def note_hearing(self, *, hears: bool) -> None:
        """Write down about once a minute that gateways can be heard and stored, so that deafness is not their silence.

        Args:
            hears: connected to the broker, with a store that takes readings.
        """
        if not hears:
            return
        now_ms = self._now()
        broken = now_ms - self._ear.last_ms > _LONGEST_BREAK_MS
        self._ear = Heard(now_ms, now_ms if broken else self._ear.since_ms)
        if now_ms - self._noted_ms < _NOTE_EVERY_MS or time.monotonic() < self._note_due_s:
            return
        self._note_due_s = time.monotonic() + _NOTE_EVERY_S
        with contextlib.suppress(StoreUnavailableError):  # then nothing is judged either
            self._records.append_changes([], {EAR: self._ear.to_text()})
            self._noted_ms = now_ms

    def take(self, messages: Sequence[Message]) -> Outcome:
        """Take messages in; when this returns, those are on the disk and may be answered.

        A few bytes can inflate to very many readings, so a batch ends after `_MAX_READINGS` whatever is left.

        Raises:
            StoreUnavailableError: nothing may be answered; call again with the same messages.
        """
        batch = _Batch(self._now())
        for message in messages:
            self._read(message, batch)
            batch.messages += 1
            if batch.readings > _MAX_READINGS:
                break
        recorded = self._store(batch)
        if batch.rejects:
            self._records.keep_rejects(batch.rejects)
        return _sum_up(batch, recorded)

    def retry(self, reject: Reject) -> bool:
        """Take a reject in again, as at the instant when it came; True when nothing of it was refused this time.

        Raises:
            StoreUnavailableError: try again later.
        """
        batch = _Batch(reject.received_ms)
        encoding = translate.guess_encoding(reject.payload)
        self._read(Message(reject.topic, reject.payload, encoding, None, None, 0, 0), batch)
        self._store(batch)
        return not batch.rejects

    def _read(self, message: Message, batch: _Batch) -> None:
        gateway, pack_id = "", None
        try:
            gateway = translate.read_gateway(message.topic)
            if message.topic.endswith("/status"):
                if message.payload:  # an empty one only clears what the broker retains
                    batch.heartbeats.append(translate.decode_heartbeat(gateway, message.payload, batch.received_ms))
                return
            pack_id = _read_id(message)
            if message.response_topic not in {None, translate.build_answer_topic(gateway)}:
                raise translate.PackError("bad_response_topic", repr(message.response_topic)[:120])
            runs = translate.read_runs(gateway, message.payload, message.encoding)
        except translate.WireError as error:
            batch.refuse(message, gateway, pack_id, error)
            return
        first = len(batch.runs)
        batch.runs += runs
        batch.readings += sum(len(run.at_ms) for run in runs)
        batch.packs.append(_Pack(message, gateway, pack_id, first, len(batch.runs)))

    def _store(self, batch: _Batch) -> Recorded:
        recorded = Recorded()
        if batch.runs:
            recorder = self._refreshed()
            try:
                recorded = recorder.record(batch.runs, batch.received_ms)
                if recorded.points:
                    self._observations.write(recorded.points)
            except PointsRefusedError as error:
                recorder.forget()
                recorded.refused += _blame(batch.runs, recorder, error)
            except StoreUnavailableError:
                recorder.forget()
                raise
            if recorded.refused:
                self._register_due_s = 0.0  # somebody may be mending the places right now
        for heartbeat in {beat.gateway: beat for beat in batch.heartbeats}.values():
            self._records.save_heartbeat(heartbeat)
        _settle(batch, recorded)
        return recorded

    def _refreshed(self) -> Recorder:
        """The recorder with the register in force; its version is asked for now and then, for that costs a query."""
        now_s = time.monotonic()
        if self._recorder is None:
            register = self._records.register()
            self._recorder, self._version = Recorder(self._observations, register), register.version
        elif now_s >= self._register_due_s and self._records.register_version() != self._version:
            register = self._records.register()
            self._recorder.use(register)
            self._version = register.version
        if now_s >= self._register_due_s:
            self._register_due_s = now_s + _REGISTER_EVERY_S
        return self._recorder


def _read_id(message: Message) -> str | None:
    """Id of a pack; None when its sender wants no answer."""
    if message.correlation is None or message.response_topic is None:
        return None
    if len(message.correlation) > _MAX_ID_BYTES or not message.correlation.isascii():
        raise translate.PackError("bad_correlation", repr(message.correlation[:80]))
    return message.correlation.decode("ascii")


def _blame(runs: Sequence[Arrived], recorder: Recorder, error: PointsRefusedError) -> list[Refused]:
    """The runs from which the points came that the store refused."""
    blamed = []
    refused = [(points.key, set(points.at_ms), words) for points, words in error.refused]
    for number, run in enumerate(runs):
        keys = recorder.keys_of(run)
        words = {words for key, at_ms, words in refused if key in keys and not at_ms.isdisjoint(run.at_ms)}
        blamed += [Refused(number, "store_refused", one) for one in sorted(words)]
    return blamed


def _settle(batch: _Batch, recorded: Recorded) -> None:
    """Decide what each decoded pack is answered; keep those whole of which anything was refused."""
    refused = defaultdict(list)
    for fault in recorded.refused:
        refused[fault.run].append(fault)
    for pack in batch.packs:
        faults = (
            [fault for run in range(pack.first_run, pack.end_run) for fault in refused.get(run, ())] if refused else []
        )
        if faults:
            detail = "; ".join(dict.fromkeys(f"{fault.reason}: {fault.detail}" for fault in faults))
            batch.keep(pack.message, faults[0].reason, detail[:2000])
        if pack.id is None:
            continue
        if len({fault.run for fault in faults}) == pack.end_run - pack.first_run:
            batch.rejected[pack.gateway][pack.id] = faults[0].reason
        else:
            batch.ok[pack.gateway].append(pack.id)


def _sum_up(batch: _Batch, recorded: Recorded) -> Outcome:
    gateways = batch.ok.keys() | batch.rejected.keys()
    answers = {
        translate.build_answer_topic(gateway): translate.encode_answer(batch.ok[gateway], batch.rejected[gateway])
        for gateway in gateways
    }
    reasons: defaultdict[str, int] = defaultdict(int)
    for reject in batch.rejects:
        reasons[reject.reason] += 1
    stored = sum(len(points.at_ms) for points in recorded.points)
    return Outcome(batch.messages, answers, len(batch.packs), batch.readings, stored, len(batch.heartbeats), reasons)
