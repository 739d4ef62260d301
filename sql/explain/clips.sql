-- Clips that belong to the object with this $kind and $id (for a turn: those in which it is spoken or listened to).
SELECT clip_id FROM clips
WHERE video_id = $video_id AND CASE $kind
    WHEN 'video' THEN true
    WHEN 'shot' THEN shot_id = $id
    WHEN 'track' THEN track_id = $id
    WHEN 'person' THEN person_id = $id
    WHEN 'turn' THEN list_contains(turn_ids, $id)
    WHEN 'clip' THEN clip_id = $id
    WHEN 'pair' THEN
        clip_id IN (SELECT unnest([initiator_clip_id, responder_clip_id]) FROM branch_dialogue WHERE pair_id = $id)
    WHEN 'listening' THEN clip_id IN (SELECT listener_clip_id FROM branch_listening WHERE listening_id = $id)
    WHEN 'session' THEN clip_id IN (SELECT clip_id FROM branch_multi_turn WHERE session_id = $id)
END
ORDER BY start_s, clip_id
