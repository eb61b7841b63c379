"""The node without a board: a fake `machine`, a virtual clock, a runner, a village on ptys."""
