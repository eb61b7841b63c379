"""How many bytes a reading costs on the wire, on telemetry like that of four nodes with four probes each."""

import random
import statistics
import time
from collections.abc import Callable

from gateway.wire import Reading, build_pack, decode_pack, encode_record

START_MS = 1_793_491_200_123
Entries = list[tuple[int, bool, bytes]]


def run() -> dict[str, object]:
    entries = simulate(4, 60_000, 3000)
    figures: dict[str, object] = {
        "live_bytes_per_reading": round(statistics.mean(len(build_pack([e]).payload) / 4 for e in entries), 1),
        "live_bytes_per_reading_target": 45,
        "backlog_bytes_per_reading_target": 6,
    }
    for name, interval_ms, nodes in (
        ("60_s_four_nodes", 60_000, 4),
        ("10_s_four_nodes", 10_000, 4),
        ("60_s_one_node", 60_000, 1),
    ):
        packs = list(split(simulate(nodes, interval_ms, 5000), 125))
        sizes = [len(build_pack(pack).payload) / 500 for pack in packs]
        figures[f"backlog_bytes_per_reading_{name}"] = round(statistics.mean(sizes), 2)
    packs = list(split(entries, 125))
    figures["build_readings_per_s"] = measure_rate(lambda: [build_pack(pack) for pack in packs], len(packs) * 500)
    built = [build_pack(pack) for pack in packs]
    figures["reference_decode_readings_per_s"] = measure_rate(
        lambda: [decode_pack(*pack) for pack in built], len(packs) * 500
    )
    return figures


def simulate(nodes: int, interval_ms: int, frames: int) -> Entries:
    """A tank's day: level drifts with waves on it, flow comes and goes, the total grows, the battery sags."""
    chance = random.Random(7)
    level = [1.5 + 0.2 * node for node in range(nodes)]
    flow = [0.0] * nodes
    total = [10_000.0 * (node + 1) for node in range(nodes)]
    entries = []
    for frame in range(frames):
        node = frame % nodes
        if chance.random() < 0.05:
            flow[node] = chance.choice([0.0, 0.0, chance.uniform(3, 12)])
        measured = flow[node] and flow[node] + chance.gauss(0, 0.15)
        total[node] += measured * interval_ms / 60_000
        level[node] = min(2.2, max(0.3, level[node] + (measured - 4) * interval_ms / 6e7 + chance.gauss(0, 0.0005)))
        readings = [
            Reading("distance_m", round(level[node] + chance.gauss(0, 0.002), 3)),
            Reading("flow_lpm", round(max(0.0, measured), 1)),
            Reading("volume_total_l", round(total[node], 1)),
            Reading("battery_v", round(12.6 - (frame % 1440) / 3000 + chance.gauss(0, 0.01), 2)),
        ]
        at_ms = START_MS + frame // nodes * interval_ms + node * 311 + chance.randrange(4)
        entries.append((at_ms, True, encode_record(f"T0{node + 1}", readings)))
    return entries


def split(entries: Entries, size: int) -> list[Entries]:
    return [entries[start : start + size] for start in range(0, len(entries) - size + 1, size)]


def measure_rate(work: Callable[[], object], readings: int) -> int:
    best_s = min(_time(work) for _ in range(3))
    return round(readings / best_s)


def _time(work: Callable[[], object]) -> float:
    began_s = time.perf_counter()
    work()
    return time.perf_counter() - began_s
