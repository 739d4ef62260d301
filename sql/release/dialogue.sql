-- Dialogue pairs that are samples of a release. clip_ids: initiator, responder.
SELECT pair_id AS sample_id, video_id, tier, duration_s, [initiator_clip_id, responder_clip_id] AS clip_ids,
    initiator_person_id, responder_person_id, initiator_turn_id, responder_turn_id, gap_s, is_same_shot
FROM branch_dialogue
WHERE profile = $profile AND list_contains($tiers, tier)
ORDER BY sample_id
