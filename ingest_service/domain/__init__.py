"""The rules of water, devices and alerts; pure functions and values."""
