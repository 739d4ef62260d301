-- Tier of these $clips under each profile, with the reasons.
SELECT t.profile, t.clip_id, c.role, c.person_id, c.start_s, c.end_s, t.tier, t.reasons
FROM tiers AS t
JOIN clips AS c ON c.clip_id = t.clip_id
WHERE list_contains($clips, t.clip_id)
ORDER BY c.start_s, t.clip_id, t.profile = $profile DESC, t.profile
