"""What a technician writes down about one gateway, read and checked once at the start."""

from gateway.config.load import ConfigError, check, load
from gateway.config.model import (
    BrokerConfig,
    ChannelConfig,
    ClockConfig,
    GatewayConfig,
    HeartbeatConfig,
    NodeConfig,
    PortConfig,
    RelayConfig,
    SpoolConfig,
)

__all__ = [
    "BrokerConfig",
    "ChannelConfig",
    "ClockConfig",
    "ConfigError",
    "GatewayConfig",
    "HeartbeatConfig",
    "NodeConfig",
    "PortConfig",
    "RelayConfig",
    "SpoolConfig",
    "check",
    "load",
]
