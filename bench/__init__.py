"""Measurements of speed, size and writes; one file each with `run() -> dict`."""
