-- How much is left after each step in each batch, from files to tiers, in count and hours?
-- Not in clips and hours per profile: one row per profile, batch and step; funnel adds them up.
-- In = kept + rejected + not_evaluated, in count and in hours, at every step whose rows are parts of the previous step's (is_conserved). Steps that create new things (shots of videos,
-- tracks of shots) have only kept. Videos of unknown duration count as zero hours; hours are not rounded here.
-- Enforced gates come in the profile's order, and each gets what none before it took:
--   section pretrain: gates that reject; the last one keeps the tiers pretrain and sft.
--   section sft: gates that bar from sft, and `held` for those of the first section that had no value; the last one keeps sft.
WITH cells AS (
    SELECT p.profile, v.batch
    FROM (SELECT DISTINCT profile FROM tiers UNION SELECT NULL WHERE NOT EXISTS (FROM tiers)) AS p
    CROSS JOIN (SELECT DISTINCT batch FROM videos) AS v
),
looked_at AS (
    SELECT v.batch, v.status, v.duration_s AS seconds,
        v.video_id IN (SELECT video_id FROM clips) AS has_clips,
        v.video_id NOT IN (SELECT video_id FROM stage_outcomes WHERE status = 'not_evaluated') AS is_evaluated
    FROM videos AS v
),
source_steps AS (
    SELECT batch, 1 AS position, 'videos' AS step, count(*) AS count_in, sum(seconds) AS seconds_in,
        count(*) FILTER (WHERE status = 'rejected') AS rejected, 0 AS not_evaluated,
        sum(seconds) FILTER (WHERE status = 'rejected') AS seconds_rejected, 0 AS seconds_not_evaluated
    FROM looked_at
    GROUP BY batch
    UNION ALL
    SELECT batch, 2, 'videos_with_clips', count(*) FILTER (WHERE status <> 'rejected'),
        sum(seconds) FILTER (WHERE status <> 'rejected'),
        count(*) FILTER (WHERE status <> 'rejected' AND NOT has_clips AND is_evaluated),
        count(*) FILTER (WHERE status <> 'rejected' AND NOT has_clips AND NOT is_evaluated),
        sum(seconds) FILTER (WHERE status <> 'rejected' AND NOT has_clips AND is_evaluated),
        sum(seconds) FILTER (WHERE status <> 'rejected' AND NOT has_clips AND NOT is_evaluated)
    FROM looked_at
    GROUP BY batch
),
made AS (
    SELECT batch, 3 AS position, 'shots' AS step, end_s - start_s AS seconds FROM shots
    UNION ALL
    SELECT batch, 4, 'face_tracks', end_s - start_s FROM face_tracks
    UNION ALL
    SELECT batch, 5, 'clips', duration_s FROM clips
),
made_steps AS (
    SELECT v.batch, s.position, s.step, count(m.step) AS kept, sum(m.seconds) AS seconds_kept
    FROM (SELECT DISTINCT batch FROM videos) AS v
    CROSS JOIN (VALUES (3, 'shots'), (4, 'face_tracks'), (5, 'clips')) AS s (position, step)
    LEFT JOIN made AS m ON m.batch = v.batch AND m.step = s.step
    GROUP BY v.batch, s.position, s.step
),
tiered AS (
    SELECT t.profile, t.batch, t.clip_id, t.tier, c.duration_s AS seconds
    FROM tiers AS t JOIN clips AS c ON c.clip_id = t.clip_id
),
-- every gate that counts against a clip (as in sql/tiers), in the section of the tier that it keeps the clip out of
objections AS (
    SELECT g.profile, g.batch, g.clip_id, g.gate, g.position, g.level, g.verdict, t.seconds,
        CASE t.tier WHEN 'rejected' THEN 'pretrain' ELSE 'sft' END AS section
    FROM clip_gates AS g
    JOIN tiered AS t ON t.profile = g.profile AND t.clip_id = g.clip_id
    WHERE g.mode = 'enforce' AND CASE
        WHEN t.tier = 'rejected' THEN
            g.level = 'pretrain' AND (g.verdict = 'fail' OR (g.verdict = 'not_evaluated' AND g.not_evaluated = 'fail'))
        ELSE g.verdict = 'fail' OR (g.verdict = 'not_evaluated' AND g.not_evaluated <> 'pass')
    END
),
takers AS (
    SELECT * FROM objections
    QUALIFY row_number() OVER (PARTITION BY profile, clip_id ORDER BY position, gate) = 1
),
gates AS (
    SELECT profile, level AS section, gate, min(position) AS position, false AS is_held
    FROM clip_gates WHERE mode = 'enforce' GROUP BY profile, level, gate
    UNION ALL
    SELECT profile, 'sft', gate, min(position), true
    FROM takers WHERE section = 'sft' AND level = 'pretrain' GROUP BY profile, gate
),
totals AS (
    SELECT profile, batch, 'pretrain' AS section, count(*) AS clip_count, sum(seconds) AS seconds
    FROM tiered GROUP BY profile, batch
    UNION ALL
    SELECT profile, batch, 'sft', count(*) FILTER (WHERE tier <> 'rejected'), sum(seconds) FILTER (WHERE tier <> 'rejected')
    FROM tiered GROUP BY profile, batch
),
lost AS (
    SELECT n.profile, n.batch, n.section, g.gate, g.position, g.is_held, any_value(n.clip_count) AS clip_count,
        coalesce(any_value(n.seconds), 0) AS seconds,
        count(*) FILTER (WHERE k.verdict = 'fail') AS rejected,  -- count_if would be NULL if nothing failed
        count(*) FILTER (WHERE k.verdict = 'not_evaluated') AS not_evaluated,
        coalesce(sum(k.seconds) FILTER (WHERE k.verdict = 'fail'), 0) AS seconds_rejected,
        coalesce(sum(k.seconds) FILTER (WHERE k.verdict = 'not_evaluated'), 0) AS seconds_not_evaluated
    FROM totals AS n
    JOIN gates AS g ON g.profile = n.profile AND g.section = n.section
    LEFT JOIN takers AS k
        ON k.profile = n.profile AND k.batch = n.batch AND k.section = n.section AND k.gate = g.gate
    GROUP BY n.profile, n.batch, n.section, g.gate, g.position, g.is_held
),
gate_steps AS (
    SELECT profile, batch, section,
        CASE section WHEN 'pretrain' THEN 100 ELSE 1100 END + coalesce(position, 0) AS position,
        CASE WHEN is_held THEN 'held: ' WHEN section = 'sft' THEN 'sft gate: ' ELSE 'gate: ' END || gate AS step,
        rejected, not_evaluated, seconds_rejected, seconds_not_evaluated,
        clip_count - coalesce(sum(rejected + not_evaluated) OVER earlier, 0) AS count_in,
        seconds - coalesce(sum(seconds_rejected + seconds_not_evaluated) OVER earlier, 0) AS seconds_in
    FROM lost
    WINDOW earlier AS (
        PARTITION BY profile, batch, section ORDER BY position, gate ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
    )
),
tier_steps AS (
    SELECT n.profile, n.batch, s.position, 'tier: ' || s.tier AS step, count(t.clip_id) AS kept, sum(t.seconds) AS seconds_kept
    FROM (SELECT DISTINCT profile, batch FROM tiered) AS n
    CROSS JOIN (VALUES (10001, 'pretrain'), (10002, 'sft'), (10003, 'rejected')) AS s (position, tier)
    LEFT JOIN tiered AS t ON t.profile = n.profile AND t.batch = n.batch AND t.tier = s.tier
    GROUP BY n.profile, n.batch, s.position, s.tier
),
parts AS (
    SELECT c.profile, 'source' AS section, s.*
    FROM cells AS c JOIN source_steps AS s ON s.batch = c.batch
    UNION ALL BY NAME
    FROM gate_steps
),
steps AS (
    SELECT profile, batch, section, position, step, count_in, count_in - rejected - not_evaluated AS kept, rejected,
        not_evaluated, coalesce(seconds_in, 0) AS seconds_in, coalesce(seconds_rejected, 0) AS seconds_rejected,
        coalesce(seconds_not_evaluated, 0) AS seconds_not_evaluated,
        coalesce(seconds_in, 0) - coalesce(seconds_rejected, 0) - coalesce(seconds_not_evaluated, 0) AS seconds_kept
    FROM parts
    UNION ALL BY NAME
    SELECT c.profile, 'source' AS section, s.* FROM cells AS c JOIN made_steps AS s ON s.batch = c.batch
    UNION ALL BY NAME
    SELECT 'tiers' AS section, * FROM tier_steps
)
SELECT
    profile, batch, section, position::BIGINT AS position, step,
    count_in::BIGINT AS count_in, kept::BIGINT AS kept, rejected::BIGINT AS rejected, not_evaluated::BIGINT AS not_evaluated,
    -- sums that cancel leave about 1e-18, of either sign
    round(seconds_in / 3600, 9) + 0 AS hours_in, round(coalesce(seconds_kept, 0) / 3600, 9) + 0 AS hours_kept,
    seconds_rejected / 3600 AS hours_rejected, seconds_not_evaluated / 3600 AS hours_not_evaluated,
    count_in = kept + rejected + not_evaluated AND kept >= 0 AS is_conserved
FROM steps
ORDER BY profile, batch, position, step
