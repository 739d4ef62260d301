-- Clips, with the words before them, that are samples of a release.
SELECT printf('%s-%04d', session_id, turn_index) AS sample_id, video_id, tier, duration_s, [clip_id] AS clip_ids,
    person_id, session_id, turn_index, gap_s, history
FROM branch_multi_turn
WHERE profile = $profile AND mode = 'contextual' AND list_contains($tiers, tier)
ORDER BY sample_id
