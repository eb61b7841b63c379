"""Delivering: each change once, in order, and again only what did not go out."""

from dataclasses import dataclass, field

from ingest_service.services.deliver import deliver
from ingest_service.services.ports import AlertChange
from tests.unit.ingest_service.services.village import T0, Village


@dataclass
class Phone:
    """The edge of the world: a way to people that fails when it is told to."""

    name: str = "phone"
    heard: list[str] = field(default_factory=list)
    broken_after: int = 1000

    def send(self, text: str) -> None:
        if len(self.heard) >= self.broken_after:
            raise OSError("no signal")
        self.heard.append(text)


def change(number: int, *, quiet: bool = False) -> AlertChange:
    return AlertChange(f"a{number}", "tank_low", "t1", "raised", "warning", T0, T0, "below", {}, quiet=quiet)


def render(one: AlertChange) -> str:
    return one.alert_id


def test_every_change_goes_out_once_in_order(village: Village) -> None:
    village.records.append_changes([change(i) for i in range(250)], {})
    phone = Phone()
    assert deliver(village.records, phone, render) == 250
    assert phone.heard == [f"a{i}" for i in range(250)]
    assert deliver(village.records, phone, render) == 0


def test_quiet_changes_wake_nobody(village: Village) -> None:
    village.records.append_changes([change(1, quiet=True), change(2), change(3, quiet=True)], {})
    phone = Phone()
    assert deliver(village.records, phone, render) == 1
    assert phone.heard == ["a2"]


def test_what_did_not_go_out_goes_out_later(village: Village) -> None:
    village.records.append_changes([change(i) for i in range(5)], {})
    phone = Phone(broken_after=2)
    assert deliver(village.records, phone, render) == 2
    phone.broken_after = 1000
    assert deliver(village.records, phone, render) == 3
    assert phone.heard == [f"a{i}" for i in range(5)]


def test_each_channel_has_its_own_mark(village: Village) -> None:
    village.records.append_changes([change(1)], {})
    assert deliver(village.records, Phone("one"), render) == 1
    assert deliver(village.records, Phone("two"), render) == 1
