-- Time of these $tracks that became no clip, and why; where no clips were cut at all, the stage that gave no result.
WITH stopped AS (
    SELECT string_agg(stage || ': ' || reason, ', ' ORDER BY stage) AS reason
    FROM stage_outcomes
    WHERE video_id = $video_id AND status <> 'ok' AND NOT starts_with(reason, 'upstream_')
        AND stage IN ('face_tracks', 'people', 'speech_turns', 'sync_scores', 'speaker_bindings', 'clips')
)
SELECT track_id, role, start_s, end_s, end_s - start_s AS length_s, reason
FROM dropped_spans
WHERE video_id = $video_id AND list_contains($tracks, track_id)
    AND ($kind <> 'turn' OR EXISTS (
        FROM speech_turns AS t WHERE t.turn_id = $id AND t.start_s < dropped_spans.end_s AND t.end_s > dropped_spans.start_s
    ))
UNION ALL
SELECT f.track_id, 'unknown', f.start_s, f.end_s, f.end_s - f.start_s, stopped.reason
FROM face_tracks AS f, stopped
WHERE f.video_id = $video_id AND list_contains($tracks, f.track_id)
    AND EXISTS (FROM stage_outcomes AS o WHERE o.video_id = f.video_id AND o.stage = 'clips' AND o.status <> 'ok')
ORDER BY start_s, track_id
