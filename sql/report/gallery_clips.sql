-- Description of these clips in the gallery: where they are, who is in them, what is said, the reasons for their tier.
WITH chosen AS (SELECT * FROM clips WHERE list_contains($clip_ids, clip_id)),
said AS (
    SELECT c.clip_id, string_agg(trim(s.text), ' ' ORDER BY s.start_s) AS text, mode(s.language) AS language
    FROM (SELECT clip_id, start_s, end_s, unnest(turn_ids) AS turn_id FROM chosen WHERE role = 'talking') AS c
    JOIN transcripts AS s ON s.turn_id = c.turn_id AND s.start_s < c.end_s AND s.end_s > c.start_s
    GROUP BY c.clip_id
)
SELECT c.clip_id, c.video_id, c.person_id, c.speaker_id, c.role, c.start_s, c.end_s, c.duration_s, c.x1, c.y1, c.x2, c.y2,
    v.source_name, v.video_start_s,
    t.tier, t.reasons, s.text, s.language
FROM chosen AS c
JOIN videos AS v ON v.video_id = c.video_id
JOIN tiers AS t ON t.clip_id = c.clip_id AND t.profile = $profile
LEFT JOIN said AS s ON s.clip_id = c.clip_id
ORDER BY c.clip_id
