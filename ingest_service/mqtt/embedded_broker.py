"""A broker in one command for a server that has none: iotcore, which is rumqttd in a wheel.

It keeps nothing on disk and knows no access list, so it listens on 127.0.0.1 only. Nothing is lost when it dies: what
the server has not answered for, the gateway sends again. It keeps a log per subscription in memory even of what was
consumed, so its segments are small. It disconnects clients with keepalive 0 or acknowledgements out of order.
"""

from pathlib import Path
from typing import Final

from iotcore import Broker

HOST: Final = "127.0.0.1"

_TOML: Final = """\
id = 0

[router]
id = 0
max_connections = 1000
max_outgoing_packet_count = 1000
max_segment_size = 4194304
max_segment_count = 8

[v5.1]
name = "v5"
listen = "{host}:{port}"
next_connection_delay_ms = 1
    [v5.1.connections]
    connection_timeout_ms = 10000
    max_payload_size = 524288
    max_inflight_count = 1000
    dynamic_filters = true
"""


def start_broker(port: int, folder: Path) -> Broker:
    """Start the broker as a child process and wait until it listens; `stop` ends it, and it dies with its parent.

    Args:
        port: of 127.0.0.1.
        folder: where its configuration is written.

    Raises:
        OSError: the port is taken.
        RuntimeError: it did not come up.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "broker.toml"
    path.write_text(_TOML.format(host=HOST, port=port), encoding="utf-8")
    return Broker(config_path=str(path)).start()
