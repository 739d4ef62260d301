-- Talking clips that are samples of a release.
SELECT clip_id AS sample_id, video_id, tier, duration_s, [clip_id] AS clip_ids, person_id
FROM branch_single
WHERE profile = $profile AND list_contains($tiers, tier)
ORDER BY sample_id
