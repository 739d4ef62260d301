-- Which time of these $tracks became no clip, and why?
SELECT track_id, role, start_s, end_s, end_s - start_s AS length_s, reason
FROM dropped_spans
WHERE video_id = $video_id AND list_contains($tracks, track_id)
    AND ($kind <> 'turn' OR EXISTS (
        FROM speech_turns AS t WHERE t.turn_id = $id AND t.start_s < dropped_spans.end_s AND t.end_s > dropped_spans.start_s
    ))
ORDER BY start_s, track_id
