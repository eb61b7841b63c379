"""A village on this machine: real nodes on ptys, gateway, broker, server and pages, at high time factor."""
