"""The server: checks, places, derives, stores, judges and shows what the gateways say."""
