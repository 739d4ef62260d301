-- Who is in the lake, in how many videos and clips, for how long in each role and tier?
-- Not in clips and hours per profile: one row per profile and identity (one person across videos).
WITH appearances AS (
    SELECT p.identity_id, t.profile, c.clip_id, c.video_id, c.role, c.duration_s, t.tier
    FROM clips AS c
    JOIN people AS p ON p.person_id = c.person_id
    JOIN tiers AS t ON t.clip_id = c.clip_id
)
SELECT profile, identity_id,
    count(DISTINCT video_id) AS videos,
    count(*) AS clips,
    round(coalesce(sum(duration_s) FILTER (WHERE role = 'talking'), 0) / 3600, 6) AS talking_hours,
    round(coalesce(sum(duration_s) FILTER (WHERE role = 'listening'), 0) / 3600, 6) AS listening_hours,
    count_if(tier = 'sft')::BIGINT AS sft_clips,
    count_if(tier = 'pretrain')::BIGINT AS pretrain_clips,
    count_if(tier = 'rejected')::BIGINT AS rejected_clips
FROM appearances
GROUP BY profile, identity_id
ORDER BY profile, clips DESC, identity_id
