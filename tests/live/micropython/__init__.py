"""The node's unchanged program on the real MicroPython."""
