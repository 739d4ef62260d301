-- Tier of each clip under $profile.
SELECT t.clip_id, t.video_id, t.tier, c.duration_s
FROM tiers AS t
JOIN clips AS c ON c.clip_id = t.clip_id
WHERE t.profile = $profile
