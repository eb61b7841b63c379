"""The verbs of the server: plain functions over the ports."""
