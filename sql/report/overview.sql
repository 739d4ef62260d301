-- The lake in one row: videos and hours in, clips and hours out by tier, people (first screen of the report).
WITH tiered AS (
    SELECT t.tier, c.role, c.duration_s, c.person_id
    FROM tiers AS t JOIN clips AS c ON c.clip_id = t.clip_id
    WHERE t.profile = $profile
),
outcome AS (
    SELECT
        count(*) AS clips, coalesce(sum(duration_s), 0) / 3600 AS hours,
        count(*) FILTER (WHERE tier = 'sft') AS sft_clips, count(*) FILTER (WHERE tier = 'pretrain') AS pretrain_clips,
        count(*) FILTER (WHERE tier = 'rejected') AS rejected_clips,
        coalesce(sum(duration_s) FILTER (WHERE tier = 'sft'), 0) / 3600 AS sft_hours,
        coalesce(sum(duration_s) FILTER (WHERE tier = 'pretrain'), 0) / 3600 AS pretrain_hours,
        coalesce(sum(duration_s) FILTER (WHERE tier = 'rejected'), 0) / 3600 AS rejected_hours,
        coalesce(sum(duration_s) FILTER (WHERE role = 'talking'), 0) / 3600 AS talking_hours,
        coalesce(sum(duration_s) FILTER (WHERE role = 'listening'), 0) / 3600 AS listening_hours
    FROM tiered
),
source AS (
    SELECT
        count(*) AS videos, count(DISTINCT batch) AS batches,
        count(*) FILTER (WHERE status = 'rejected') AS videos_rejected, count(*) FILTER (WHERE status = 'degraded') AS videos_degraded,
        coalesce(sum(duration_s), 0) / 3600 AS hours_in,
        min(source_uri) AS first_uri, max(source_uri) AS last_uri
    FROM videos
)
SELECT s.*, o.*,
    (SELECT count(DISTINCT p.identity_id) FROM people AS p WHERE p.person_id IN (SELECT person_id FROM tiered)) AS people
FROM source AS s CROSS JOIN outcome AS o
