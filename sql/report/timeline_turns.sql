-- Speech turns of these videos, with the face they were bound to for longest (or why to none) and what is said.
WITH turns AS (SELECT * FROM speech_turns WHERE list_contains($video_ids, video_id) AND start_s < $until_s),
bound AS (
    SELECT turn_id, arg_max(status, (person_id IS NOT NULL, end_s - start_s)) AS status,
        arg_max(reason, (person_id IS NOT NULL, end_s - start_s)) FILTER (person_id IS NULL) AS reason,
        arg_max(person_id, end_s - start_s) AS person_id, min(margin) AS margin,
        list(struct_pack(start_s, end_s, status, person_id) ORDER BY start_s) AS parts
    FROM speaker_bindings
    WHERE list_contains($video_ids, video_id)
    GROUP BY turn_id
),
said AS (
    SELECT turn_id, string_agg(trim(text), ' ' ORDER BY start_s) AS text
    FROM transcripts
    WHERE list_contains($video_ids, video_id)
    GROUP BY turn_id
)
SELECT t.video_id, t.turn_id, t.speaker_id, t.start_s, t.end_s, b.person_id, b.margin, b.parts, s.text,
    coalesce(b.status, 'not_evaluated') AS status, CASE WHEN b.turn_id IS NULL THEN 'not_bound_yet' ELSE b.reason END AS reason
FROM turns AS t
LEFT JOIN bound AS b ON b.turn_id = t.turn_id
LEFT JOIN said AS s ON s.turn_id = t.turn_id
ORDER BY t.video_id, t.start_s, t.turn_id
