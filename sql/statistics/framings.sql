-- How much of a person do the clips show? (framing, from the share of the picture that the face covers)
-- The bins are ours, since the paper published none: a face of 12 % or more of the picture is a close-up (head), of 2 % or
-- more a portrait (head and shoulders); below that, the body or the room is seen (full).
WITH framed AS (
    SELECT t.profile, t.tier, c.role, c.duration_s, s.face_share,
        CASE
            WHEN s.face_share IS NULL THEN 'not_evaluated'
            WHEN s.face_share >= 0.12 THEN 'head'
            WHEN s.face_share >= 0.02 THEN 'portrait'
            ELSE 'full'
        END AS framing
    FROM clips AS c
    JOIN tiers AS t ON t.clip_id = c.clip_id
    LEFT JOIN clip_scores AS s ON s.clip_id = c.clip_id
)
SELECT profile, tier, role, framing,
    count(*) AS clips,
    round(sum(duration_s) / 3600, 6) AS hours,
    round(count(*) / sum(count(*)) OVER (PARTITION BY profile, tier, role), 4) AS share,
    round(avg(face_share), 4) AS mean_face_share
FROM framed
GROUP BY profile, tier, role, framing
ORDER BY profile, tier, role, mean_face_share DESC NULLS LAST
