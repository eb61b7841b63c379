"""Changes of the record store's schema, oldest first in `versions`."""
