"""One good frame in, one record with calibrated readings in the spool."""

from gateway.collect.collector import Collector, NodeCounters
from gateway.collect.memory import newest_believed

__all__ = ["Collector", "NodeCounters", "newest_believed"]
"""`newest_believed` finds in a spool's state what `gateway.clock.open_clock` wants to know of earlier."""
