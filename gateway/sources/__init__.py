"""Where frames come from: a serial port, a simulated node, a recorded file."""
