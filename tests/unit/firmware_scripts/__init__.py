"""The node's program and its simulated surroundings."""
