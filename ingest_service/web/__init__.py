"""Light pages and the API."""
