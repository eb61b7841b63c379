"""Words for people: messages, numbers, dates in Vietnamese and English."""
