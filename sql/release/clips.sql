-- Description of these clips in a release: where they are, who is in them, what is said, their scores.
-- clip_index numbers a video's clips in time; with speaker and video it forms the paper's key.
WITH numbered AS (
    SELECT clip_id, row_number() OVER (PARTITION BY video_id ORDER BY start_s, clip_id) - 1 AS clip_index
    FROM clips WHERE list_contains($video_ids, video_id)
),
chosen AS (SELECT * FROM clips WHERE list_contains($clip_ids, clip_id)),
heard AS (
    SELECT c.clip_id, list_sort(list_distinct(list(t.speaker_id))) AS speakers
    FROM chosen AS c
    JOIN speech_turns AS t ON t.video_id = c.video_id AND t.start_s < c.end_s AND t.end_s > c.start_s
    GROUP BY c.clip_id
),
said AS (
    SELECT c.clip_id, string_agg(trim(s.text), ' ' ORDER BY s.start_s) AS text, mode(s.language) AS language
    FROM (SELECT clip_id, start_s, end_s, unnest(turn_ids) AS turn_id FROM chosen) AS c
    JOIN transcripts AS s ON s.turn_id = c.turn_id AND s.start_s < c.end_s AND s.end_s > c.start_s
    GROUP BY c.clip_id
),
synced AS (
    SELECT c.clip_id, list([s.sync_conf, s.sync_dist, s.offset_frames] ORDER BY s.start_s) AS sync
    FROM chosen AS c
    JOIN sync_scores AS s ON s.track_id = c.track_id AND list_contains(c.turn_ids, s.turn_id)
    WHERE s.sync_conf IS NOT NULL
    GROUP BY c.clip_id
)
SELECT c.clip_id, c.video_id, c.shot_id, c.track_id, c.person_id, coalesce(p.identity_id, c.person_id) AS identity_id,
    c.speaker_id, c.role, c.start_s, c.end_s, c.x1, c.y1, c.x2, c.y2, c.turn_ids, n.clip_index,
    t.tier, f.detection_score, h.speakers, s.text, s.language, y.sync,
    v.sha256, v.source_name, v.duration_s AS video_duration_s,
    coalesce(o.width_px, v.width_px) AS width_px, coalesce(o.height_px, v.height_px) AS height_px, v.geometries,
    v.fps, v.video_start_s, v.has_audio, v.sound_taken, v.genre,
    k.* EXCLUDE (batch, video_id, clip_id)
FROM chosen AS c
JOIN numbered AS n ON n.clip_id = c.clip_id
JOIN videos AS v ON v.video_id = c.video_id
LEFT JOIN shots AS o ON o.shot_id = c.shot_id
LEFT JOIN people AS p ON p.person_id = c.person_id
LEFT JOIN tiers AS t ON t.clip_id = c.clip_id AND t.profile = $profile
LEFT JOIN face_tracks AS f ON f.track_id = c.track_id
LEFT JOIN clip_scores AS k ON k.clip_id = c.clip_id
LEFT JOIN heard AS h ON h.clip_id = c.clip_id
LEFT JOIN said AS s ON s.clip_id = c.clip_id
LEFT JOIN synced AS y ON y.clip_id = c.clip_id
ORDER BY c.clip_id
