"""Bring alert changes to people through a channel, each once, in order."""

from collections.abc import Callable

from ingest_service.services.ports import AlertChange, Channel, Records


def deliver(records: Records, channel: Channel, render: Callable[[AlertChange], str]) -> int:
    """Send what `channel` has not yet sent; a passing failure (OSError) leaves the rest for the next call.

    The mark moves after each sent notice, so only a crash between the two can repeat one.

    Args:
        records: where the changes and the channel's mark are.
        channel: the way to people.
        render: words for a change.

    Returns:
        How many notices were sent.

    Raises:
        StoreUnavailableError: the records could not serve.
    """
    sent = 0
    while changes := records.undelivered(channel.name):
        for change_id, change in changes:
            try:
                channel.send(render(change))
            except OSError:
                return sent
            records.mark_delivered(channel.name, change_id)
            sent += 1
    return sent
