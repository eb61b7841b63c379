"""How this node is wired: read `wiring.json`, written by whoever builds the node, and make its probes.

    {"node": "T01",
     "link": {"kind": "uart", "uart": 0, "tx": 0, "rx": 1, "baud": 115200},     or {"kind": "stdio"}: the USB plug
     "probes": [
       {"kind": "ds", "mode": "pulse", "trig": 2, "echo": 3},                    JSN-SR04T or AJ-SR04M
       {"kind": "ds", "mode": "serial", "model": "aj", "ask": true, "uart": 1, "tx": 4, "rx": 5},
       {"kind": "fp", "pin": 6}, {"kind": "hd", "pin": 26}, {"kind": "vs", "pin": 27},
       {"kind": "tw", "pin": 15}, {"kind": "bv", "pin": 28, "top": 100, "bottom": 33}]}

The second probe of a kind gets the key `ds2`, `fp2` and so on, in this order.
"""

import json

from firmware_scripts.frame import is_node
from firmware_scripts.probes.battery import Battery
from firmware_scripts.probes.flow import FlowMeter
from firmware_scripts.probes.pressure import Voltage
from firmware_scripts.probes.temperature import Thermometer
from firmware_scripts.probes.ultrasonic import PulseSonar, SerialSonar

TYPE_CHECKING = False
if TYPE_CHECKING:
    from firmware_scripts.hardware import Pins, Probe

PATH = "wiring.json"
SONAR_BAUD = 9600
ASK = {"jsn": b"\x55", "aj": b"\x01"}
SUM_START = {"jsn": 0xFF, "aj": 0}


class WiringError(Exception):
    """wiring.json is missing or cannot be used; the text says what to mend."""


def read_wiring(path: str = PATH) -> "dict[str, object]":
    """The content of the file.

    Raises:
        WiringError: no file, no JSON, or no valid node id in it.
    """
    try:
        with open(path) as file:
            wiring = json.load(file)
    except OSError:
        raise WiringError("%s is missing: copy it to the board" % path)
    except ValueError:
        raise WiringError("%s is not JSON" % path)
    if not isinstance(wiring, dict) or not is_node(str(wiring.get("node", ""))):
        raise WiringError('%s: "node" must be 1..8 of A-Z 0-9 - _' % path)
    return wiring


def make_probes(entries: "list[dict[str, object]]", pins: "Pins") -> "list[Probe]":
    """One probe for each entry, in order.

    Raises:
        WiringError: an entry lacks a pin, or names a kind or pin that does not exist.
    """
    probes: list[Probe] = []
    seen: dict[str, int] = {}
    for entry in entries:
        kind = str(entry.get("kind"))
        seen[kind] = seen.get(kind, 0) + 1
        try:
            probes.append(_make(kind, "" if seen[kind] == 1 else str(seen[kind]), entry, pins))
        except (KeyError, TypeError, ValueError) as error:
            raise WiringError("%s: probe %s: %r" % (PATH, entry, error))
    return probes


def _make(kind: str, number: str, entry: "dict[str, object]", pins: "Pins") -> "Probe":
    if kind == "ds":
        return _make_sonar(number, entry, pins)
    pin = int(str(entry["pin"]))
    if kind == "fp":
        meter = FlowMeter(number)
        pins.count_edges(pin, meter.on_edge)
        return meter
    if kind in {"hd", "vs"}:
        return Voltage(kind + number, pins.adc(pin))
    if kind == "tw":
        return Thermometer(number, pins.one_wire(pin))
    if kind == "bv":
        return Battery(number, pins.adc(pin), int(str(entry["top"])), int(str(entry["bottom"])))
    raise ValueError("unknown kind")


def _make_sonar(number: str, entry: "dict[str, object]", pins: "Pins") -> "Probe":
    if entry.get("mode", "pulse") == "pulse":
        return PulseSonar(number, pins.echo(int(str(entry["trig"])), int(str(entry["echo"]))))
    model = str(entry.get("model", "jsn"))
    stream = pins.stream(int(str(entry["uart"])), int(str(entry["tx"])), int(str(entry["rx"])), SONAR_BAUD)
    return SerialSonar(number, stream, ASK[model] if entry.get("ask") else b"", SUM_START[str(entry.get("sum", model))])
