-- Clips cut from these videos, with person, role and tier.
SELECT c.video_id, c.clip_id, c.person_id, c.role, c.start_s, c.end_s, t.tier, t.reasons
FROM clips AS c
JOIN tiers AS t ON t.clip_id = c.clip_id AND t.profile = $profile
WHERE list_contains($video_ids, c.video_id) AND c.start_s < $until_s
ORDER BY c.video_id, c.start_s, c.clip_id
