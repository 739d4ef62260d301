-- For which profiles are there decisions, and over how many clips?
SELECT profile, count(*) AS clips FROM tiers GROUP BY profile ORDER BY clips DESC, profile
