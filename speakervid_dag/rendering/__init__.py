"""Pictures and pages from values: SVG, text, HTML templates. Knows no table."""
