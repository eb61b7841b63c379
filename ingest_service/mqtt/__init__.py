"""The door for gateways: receives packs, answers after the commit."""
