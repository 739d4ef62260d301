-- Listening samples of a release. clip_ids: the listener's clip; [start_s, end_s) is the part of it that counts.
SELECT b.listening_id AS sample_id, b.video_id, b.tier, b.duration_s, [b.listener_clip_id] AS clip_ids,
    b.listener_person_id, b.speaker_person_id, b.speaker_turn_id, t.speaker_id AS heard_speaker_id, b.mode, b.margin,
    b.start_s, b.end_s
FROM branch_listening AS b
JOIN speech_turns AS t ON t.turn_id = b.speaker_turn_id
WHERE b.profile = $profile AND list_contains($tiers, b.tier)
ORDER BY sample_id
