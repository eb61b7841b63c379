"""TLS, passwords and access list of the shipped broker configuration, against gateway and `listen` as they run."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from ingest_service.services.ports import SeriesKey
from tests.live.ingest_parts import Server
from tests.live.relay.feeder import Feeder
from tests.live.relay.test_gateway_kills import start_gateway
from tests.live.secure_parts import GATEWAY, OTHER, SERVER, Guest, Secure, make_authority
from tests.support.wait import until


@pytest.fixture
def secure(tmp_path: Path) -> Iterator[Secure]:
    with Secure.make(tmp_path) as made:
        yield made


class Station:
    """A running gateway on a pty."""

    def __init__(self, folder: Path, feeder: Feeder) -> None:
        self.folder = folder
        self.feeder = feeder

    def said(self) -> str:
        return (self.folder / "gateway.log").read_text()


@contextlib.contextmanager
def gateway_running(secure: Secure, lines: str, gateway: str = GATEWAY) -> Iterator[Station]:
    with Feeder(1, 0.1) as feeder:
        config = feeder.write_config(secure.folder, secure.broker.port, gateway=gateway, broker=lines)
        process = start_gateway(config)
        try:
            yield Station(secure.folder, feeder)
        finally:
            process.terminate()
            assert process.wait(20) == 0


def check_refusals(secure: Secure, told: list[str], told_server: list[str], ca: Path, password_of: str = "") -> None:
    """Gateway and server are both kept out and say why, and where to mend it."""
    settings = secure.server_settings(ca, password_of or SERVER)
    with (
        gateway_running(secure, secure.gateway_lines(ca=ca, password_of=password_of)) as gateway,
        Server(secure.folder / "server", secure.broker.port, **settings) as server,
    ):
        server.start()
        for words in told:
            until(lambda words=words: words in gateway.said(), 20, f"for the gateway to say {words}")
        for words in told_server:
            until(lambda words=words: words in server.said(), 20, f"for the server to say {words}")
        assert "connected to" not in gateway.said() + server.said()


def test_a_reading_goes_through_end_to_end(secure: Secure) -> None:
    with Server(secure.folder / "server", secure.broker.port, **secure.server_settings()) as server:
        server.load_places()
        server.start()
        with gateway_running(secure, secure.gateway_lines()) as gateway:
            series = SeriesKey("lung-sau-be-1", "distance_m")
            until(lambda: len(server.history.read(series, 0, 10**14).value) >= 5, 30, "for readings")
            gateway.feeder.stop_feeding()
            last = pytest.approx(1.5 + gateway.feeder.sent["T01"] / 1000)
            until(lambda: server.history.read(series, 0, 10**14).value[-1] == last, 20, "for the last")
            assert "has not answered" not in gateway.said()
            assert "takes nothing" not in gateway.said()


def test_a_wrong_password_is_refused(secure: Secure) -> None:
    told = ["refuses us: Not authorized", "look at username and password_file under [broker]"]
    check_refusals(secure, told, ["refuses us: Not authorized; check user, password"], secure.ca, password_of=OTHER)


def test_a_broker_with_an_untrusted_certificate_is_not_believed(secure: Secure) -> None:
    stranger = make_authority(secure.folder / "stranger")
    told = ["has no certificate that we trust: ", "tls_ca and host under [broker]"]
    check_refusals(secure, told, ["certificate verify failed"], stranger)


def test_a_broker_with_a_certificate_for_another_name_is_not_believed(tmp_path: Path) -> None:
    with Secure.make(tmp_path, "DNS:elsewhere.example,IP:127.0.0.2") as secure:
        told = ["has no certificate that we trust: IP address mismatch", "tls_ca and host under [broker]"]
        check_refusals(secure, told, ["IP address mismatch"], secure.ca)


def test_a_gateway_without_tls_is_told_to_set_it(secure: Secure) -> None:
    lines = f'username = "{GATEWAY}"\npassword_file = "{secure.password_file(GATEWAY)}"'
    with gateway_running(secure, lines) as gateway:
        until(lambda: "does this port want TLS? Then set tls_ca" in gateway.said(), 20)


def test_a_gateway_under_anothers_name_delivers_nothing_and_says_so(secure: Secure) -> None:
    with Guest(secure, SERVER) as spy:
        spy.hear_all()
        with gateway_running(secure, secure.gateway_lines(OTHER), gateway=GATEWAY) as gateway:
            words = f"must let user {OTHER} write data, status and reply below monuoc/v1/{GATEWAY}"
            until(lambda: words in gateway.said(), 20)
            assert "takes nothing from us: Not authorized" in gateway.said()
        assert spy.heard == []


def test_everybody_says_only_what_is_theirs(secure: Secure) -> None:
    kinds = ("data", "status", "ack", "command", "reply", "else")
    with Guest(secure, SERVER) as server, Guest(secure, GATEWAY) as gateway:
        for kind in kinds:
            assert gateway.may_publish(f"monuoc/v1/{GATEWAY}/{kind}") == (kind in {"data", "status", "reply"})
            assert not gateway.may_publish(f"monuoc/v1/{OTHER}/{kind}")
            assert server.may_publish(f"monuoc/v1/{OTHER}/{kind}") == (kind in {"ack", "command"})
        assert not gateway.may_publish("elsewhere")
        assert not server.may_publish("elsewhere")


def test_everybody_hears_only_what_is_theirs(secure: Secure) -> None:
    with (
        Guest(secure, SERVER) as server,
        Guest(secure, GATEWAY) as gateway,
        Guest(secure, OTHER) as other,
        Guest(secure, SERVER) as asking,
        Guest(secure, OTHER) as telling,
    ):
        for guest in (server, gateway, other):
            guest.hear_all()
        for kind in ("data", "status", "reply"):
            assert telling.may_publish(f"monuoc/v1/{OTHER}/{kind}")
        for owner in (OTHER, GATEWAY, OTHER):
            for kind in ("ack", "command"):
                assert asking.may_publish(f"monuoc/v1/{owner}/{kind}")
        assert telling.may_publish(f"monuoc/v1/{OTHER}/data", b"last")
        until(lambda: any(payload == b"last" for _, payload in server.heard))
        assert {topic for topic, _ in server.heard} == {
            f"monuoc/v1/{OTHER}/{kind}" for kind in ("data", "status", "reply")
        }
        for guest, owner in ((gateway, GATEWAY), (other, OTHER)):
            own = {f"monuoc/v1/{owner}/{kind}" for kind in ("ack", "command")}
            until(lambda guest=guest, own=own: {topic for topic, _ in guest.heard} == own)
