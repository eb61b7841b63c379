"""The Raspberry Pi: reads nodes over serial lines, keeps what they say, hands it to the server."""
