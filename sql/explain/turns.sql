-- Turns that belong to the object with this $kind and $id, stretch by stretch, with bound face, evidence and words.
WITH chosen AS (
    SELECT unnest(turn_ids) AS turn_id FROM clips WHERE list_contains($clips, clip_id) AND $kind <> 'listening'
    UNION SELECT turn_id FROM speech_turns WHERE video_id = $video_id AND ($kind = 'video' OR turn_id = $id)
    UNION SELECT turn_id FROM speaker_bindings
    WHERE video_id = $video_id AND (($kind = 'track' AND track_id = $id) OR ($kind = 'person' AND person_id = $id))
    UNION SELECT speaker_turn_id FROM branch_listening WHERE video_id = $video_id AND listening_id = $id
),
said AS (
    SELECT turn_id, string_agg(trim(text), ' ' ORDER BY start_s) AS words
    FROM transcripts WHERE video_id = $video_id GROUP BY turn_id
)
-- a row for each stretch with an answer of its own; what is said stands once
SELECT t.turn_id, t.speaker_id, coalesce(b.start_s, t.start_s) AS start_s, coalesce(b.end_s, t.end_s) AS end_s,
    t.has_overlap, t.speaker_margin, b.status AS binding, b.person_id, b.track_id, b.margin, b.reason, b.detail,
    CASE WHEN row_number() OVER (PARTITION BY t.turn_id ORDER BY b.start_s, b.track_id) = 1 THEN s.words END AS words
FROM speech_turns AS t
LEFT JOIN speaker_bindings AS b ON b.turn_id = t.turn_id
LEFT JOIN said AS s ON s.turn_id = t.turn_id
WHERE t.turn_id IN (SELECT turn_id FROM chosen)
ORDER BY t.start_s, t.turn_id, b.start_s, b.track_id
