"""Judge every asset and device by the rules, and write what changed."""

from ingest_service.services.ports import AlertChange, Observations, Records


def judge(
    observations: Observations, records: Records, now_ms: int, *, listening_since_ms: int = 0
) -> list[AlertChange]:
    """Evaluate all rules up to `now_ms`; changes and working states are written in one transaction.

    Args:
        observations: history that is judged, by the instants at which it was measured.
        records: register, heartbeats, the states of the last call; takes the changes.
        now_ms: the present instant.
        listening_since_ms: when this server began to listen; silence before it proves nothing.

    Returns:
        The changes that were written, in the order of writing.

    Raises:
        StoreUnavailableError: a store could not serve; nothing was written.
    """
    raise NotImplementedError
