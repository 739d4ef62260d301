-- Objects whose id is $wanted (or, for a video, whose file name it is), with their kind and video.
-- Of several videos with that name, those not rejected come first, then the newest.
SELECT kind, id, video_id, batch, status FROM (
    SELECT 'video' AS kind, video_id AS id, video_id, batch, status FROM videos WHERE video_id = $wanted OR source_name = $wanted
    UNION ALL SELECT 'shot', shot_id, video_id, batch, NULL FROM shots WHERE shot_id = $wanted
    UNION ALL SELECT 'track', track_id, video_id, batch, NULL FROM face_tracks WHERE track_id = $wanted
    UNION ALL SELECT 'person', person_id, video_id, batch, NULL FROM people WHERE person_id = $wanted
    UNION ALL SELECT 'turn', turn_id, video_id, batch, NULL FROM speech_turns WHERE turn_id = $wanted
    UNION ALL SELECT 'clip', clip_id, video_id, batch, NULL FROM clips WHERE clip_id = $wanted
    UNION ALL SELECT DISTINCT 'pair', pair_id, video_id, batch, NULL FROM branch_dialogue WHERE pair_id = $wanted
    UNION ALL SELECT DISTINCT 'listening', listening_id, video_id, batch, NULL FROM branch_listening WHERE listening_id = $wanted
    UNION ALL SELECT DISTINCT 'session', session_id, video_id, batch, NULL FROM branch_multi_turn WHERE session_id = $wanted
)
ORDER BY status = 'rejected', batch DESC, id
