"""Pictures and pages from values: SVG, text, HTML templates. No table is known here."""
