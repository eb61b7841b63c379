"""Outbox on disk: frames stay here until the server has answered for them."""

from gateway.spool.entry import Counters, Entry, Limits, Stored
from gateway.spool.outbox import Spool

__all__ = ["Counters", "Entry", "Limits", "Spool", "Stored"]
