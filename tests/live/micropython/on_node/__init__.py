"""Scripts that run on MicroPython itself; an exception is a failure."""
