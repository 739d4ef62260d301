-- Clips that show one person talking.
SELECT c.batch, c.video_id, $profile AS profile, c.clip_id, c.person_id, c.duration_s, t.tier
FROM clips AS c
JOIN tiers AS t ON t.clip_id = c.clip_id AND t.profile = $profile AND list_contains($batches, t.batch)
WHERE list_contains($batches, c.batch) AND c.role = 'talking'
ORDER BY c.batch, c.clip_id
