"""What leaves the lake: the report.

Belongs here: pages and pictures about a published snapshot. Does not belong here: queries (sql/report), opening media
(media/) and anything that changes a table.
"""
