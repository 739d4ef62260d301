-- What does each group of scores cost, in seconds, per second of video, and relative to the face and mesh models?
-- Not in clips and hours per profile: one row per group of scores.
WITH spent AS (
    SELECT o.stage, c.part, c.elapsed_s, v.duration_s
    FROM stage_outcomes AS o
    JOIN videos AS v ON v.video_id = o.video_id,
    UNNEST(o.costs) AS t(c)
),
faces AS (
    SELECT sum(elapsed_s) AS elapsed_s FROM spent WHERE part IN ('detector', 'mesh')
)
SELECT s.stage, s.part,
    round(sum(s.elapsed_s), 3) AS elapsed_s,
    round(sum(s.elapsed_s) / nullif(sum(s.duration_s), 0), 5) AS elapsed_s_per_video_s,
    round(sum(s.elapsed_s) / nullif((SELECT elapsed_s FROM faces), 0), 4) AS ratio_to_face_and_mesh
FROM spent AS s
GROUP BY s.stage, s.part
ORDER BY elapsed_s DESC, s.stage, s.part
