"""Pictures as inline SVG: geometry in Python, strokes in templates."""
