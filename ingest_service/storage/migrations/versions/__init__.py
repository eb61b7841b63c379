"""One file a change; a released file is never edited."""
