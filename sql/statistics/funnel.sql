-- How much is left after each step, from files to tiers, in count and hours?
-- One row a profile and step; in = kept + rejected + not_evaluated, in count and in hours, at every step whose rows are
-- parts of the step before (is_conserved). Steps that make new things of old ones (shots of videos, tracks of shots) have only kept.
-- Gates are those that reject, by name: each sees what no gate before it took, so that the last one keeps pretrain + sft.
-- hours_* of a video without a known duration count as nothing.
WITH profiles AS (
    SELECT DISTINCT profile FROM tiers
    UNION
    SELECT NULL WHERE NOT EXISTS (FROM tiers)
),
video_steps AS (
    SELECT 1 AS position, 'videos' AS step, count(*) AS count_in,
        count(*) FILTER (WHERE status <> 'rejected') AS kept, count(*) FILTER (WHERE status = 'rejected') AS rejected,
        0 AS not_evaluated, sum(duration_s) AS seconds_in,
        sum(duration_s) FILTER (WHERE status = 'rejected') AS seconds_rejected, 0 AS seconds_not_evaluated
    FROM videos
    UNION ALL
    SELECT 2, 'videos_with_clips', count(*), count(*) FILTER (WHERE has_clips),
        count(*) FILTER (WHERE NOT has_clips AND is_evaluated),
        count(*) FILTER (WHERE NOT has_clips AND NOT is_evaluated),
        sum(duration_s), sum(duration_s) FILTER (WHERE NOT has_clips AND is_evaluated),
        sum(duration_s) FILTER (WHERE NOT has_clips AND NOT is_evaluated)
    FROM (
        SELECT v.duration_s,
            v.video_id IN (SELECT video_id FROM clips) AS has_clips,
            v.video_id NOT IN (SELECT video_id FROM stage_outcomes WHERE status = 'not_evaluated') AS is_evaluated
        FROM videos AS v
        WHERE v.status <> 'rejected'
    )
),
made_steps AS (
    SELECT 3 AS position, 'shots' AS step, count(*) AS kept, sum(end_s - start_s) AS seconds_kept FROM shots
    UNION ALL
    SELECT 4, 'face_tracks', count(*), sum(end_s - start_s) FROM face_tracks
    UNION ALL
    SELECT 5, 'clips', count(*), sum(duration_s) FROM clips
),
-- what takes a rejected clip: its first gate that failed; where none failed, the first that was not evaluated
failures AS (
    SELECT g.profile, g.clip_id, g.gate, g.level, g.verdict, c.duration_s,
        row_number() OVER (PARTITION BY g.profile, g.clip_id ORDER BY g.verdict <> 'fail', g.gate) AS place
    FROM clip_gates AS g
    JOIN tiers AS t ON t.profile = g.profile AND t.clip_id = g.clip_id
    JOIN clips AS c ON c.clip_id = g.clip_id
    WHERE t.tier = 'rejected' AND g.mode = 'enforce' AND g.level = 'pretrain'
        AND list_has_any(t.reasons, [g.gate, g.gate || ':' || coalesce(g.reason, 'not_evaluated')])
),
clip_total AS (
    SELECT t.profile, count(*) AS clip_count, sum(c.duration_s) AS seconds
    FROM tiers AS t JOIN clips AS c ON c.clip_id = t.clip_id
    GROUP BY t.profile
),
gates AS (SELECT DISTINCT profile, gate FROM clip_gates WHERE mode = 'enforce' AND level = 'pretrain'),
lost AS (
    SELECT g.profile, g.gate,
        count(*) FILTER (WHERE f.verdict = 'fail') AS rejected,  -- count_if would be NULL where nothing failed
        count(*) FILTER (WHERE f.verdict = 'not_evaluated') AS not_evaluated,
        coalesce(sum(f.duration_s) FILTER (WHERE f.verdict = 'fail'), 0) AS seconds_rejected,
        coalesce(sum(f.duration_s) FILTER (WHERE f.verdict = 'not_evaluated'), 0) AS seconds_not_evaluated
    FROM gates AS g
    LEFT JOIN failures AS f ON f.profile = g.profile AND f.gate = g.gate AND f.place = 1
    GROUP BY g.profile, g.gate
),
gate_steps AS (
    SELECT l.profile, 5 + row_number() OVER ordered AS position, 'gate: ' || l.gate AS step,
        l.rejected, l.not_evaluated, l.seconds_rejected, l.seconds_not_evaluated,
        t.clip_count - coalesce(sum(l.rejected + l.not_evaluated) OVER earlier, 0) AS count_in,
        t.seconds - coalesce(sum(l.seconds_rejected + l.seconds_not_evaluated) OVER earlier, 0) AS seconds_in
    FROM lost AS l JOIN clip_total AS t ON t.profile = l.profile
    WINDOW ordered AS (PARTITION BY l.profile ORDER BY l.gate),
        earlier AS (PARTITION BY l.profile ORDER BY l.gate ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
),
tier_steps AS (
    SELECT t.profile, CASE t.tier WHEN 'pretrain' THEN 1001 WHEN 'sft' THEN 1002 ELSE 1003 END AS position,
        'tier: ' || t.tier AS step, count(*) AS kept, sum(c.duration_s) AS seconds_kept
    FROM tiers AS t JOIN clips AS c ON c.clip_id = t.clip_id
    GROUP BY t.profile, t.tier
),
parts AS (
    SELECT p.profile, s.position, s.step, s.count_in, s.kept, s.rejected, s.not_evaluated,
        coalesce(s.seconds_in, 0) AS seconds_in, coalesce(s.seconds_rejected, 0) AS seconds_rejected,
        coalesce(s.seconds_not_evaluated, 0) AS seconds_not_evaluated
    FROM profiles AS p CROSS JOIN video_steps AS s
    UNION ALL
    SELECT profile, position, step, count_in, count_in - rejected - not_evaluated, rejected, not_evaluated,
        seconds_in, seconds_rejected, seconds_not_evaluated
    FROM gate_steps
),
steps AS (
    SELECT *, seconds_in - seconds_rejected - seconds_not_evaluated AS seconds_kept,
        count_in = kept + rejected + not_evaluated AS is_conserved
    FROM parts
    UNION ALL BY NAME
    SELECT p.profile, s.position, s.step, s.kept, s.seconds_kept FROM profiles AS p CROSS JOIN made_steps AS s
    UNION ALL BY NAME
    SELECT profile, position, step, kept, seconds_kept FROM tier_steps
)
SELECT
    profile, position::BIGINT AS position, step,
    count_in::BIGINT AS count_in, kept::BIGINT AS kept, rejected::BIGINT AS rejected, not_evaluated::BIGINT AS not_evaluated,
    round(seconds_in / 3600, 6) AS hours_in, round(coalesce(seconds_kept, 0) / 3600, 6) AS hours_kept,
    round(seconds_rejected / 3600, 6) AS hours_rejected, round(seconds_not_evaluated / 3600, 6) AS hours_not_evaluated,
    is_conserved
FROM steps
ORDER BY profile, position
