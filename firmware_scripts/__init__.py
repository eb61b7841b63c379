"""The sensor node: MicroPython, same import names on the node and on the host."""
