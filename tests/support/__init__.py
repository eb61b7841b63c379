"""What several tests share: real programs to start, events to wait for."""
