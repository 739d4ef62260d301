-- Profiles that have decisions, with their number of clips.
SELECT profile, count(*) AS clips FROM tiers GROUP BY profile ORDER BY clips DESC, profile
