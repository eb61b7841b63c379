"""One driver per kind of probe; each turns pins and bytes into one raw value."""
