-- Verdict of each gate of the profile on each clip (pass, fail or not_evaluated), with value, threshold and reason.
-- profile_gates has the gates that are not off, with percentiles already converted to thresholds. A gate for the other role
-- has no row: a listener's speech is not missing, it is not required.
WITH asked AS (
    SELECT c.batch, c.video_id, c.clip_id, g.*
    FROM clips AS c
    JOIN profile_gates AS g ON g.applies_to IN ('all', c.role)
    WHERE list_contains($batches, c.batch)
),
measured AS (
    SELECT clip_id, measure, value, status
    FROM clip_measures
    WHERE list_contains($batches, batch) AND list_contains($measures, measure)
),
judged AS (
    SELECT
        a.*,
        m.value,
        CASE
            WHEN m.clip_id IS NULL THEN 'not_scored'  -- the clip has no row in clip_scores
            WHEN m.value IS NULL THEN coalesce(m.status, 'not_scored')  -- its row is older than the measure
            WHEN a.threshold IS NULL THEN 'population_too_small'  -- too few clips for the percentile
        END AS gap,
        CASE a.keep
            WHEN '>' THEN m.value > a.threshold
            WHEN '>=' THEN m.value >= a.threshold
            WHEN '<' THEN m.value < a.threshold
            WHEN '<=' THEN m.value <= a.threshold
            WHEN '==' THEN m.value = a.threshold
            WHEN 'between' THEN m.value BETWEEN a.threshold AND a.upper_threshold
        END AS is_kept
    FROM asked AS a
    LEFT JOIN measured AS m ON m.clip_id = a.clip_id AND m.measure = a.measure
)
SELECT
    batch, video_id, clip_id, $profile AS profile, gate, position, measure, level, mode, not_evaluated,
    CASE WHEN gap IS NOT NULL THEN 'not_evaluated' WHEN is_kept THEN 'pass' ELSE 'fail' END AS verdict,
    value, keep, threshold, upper_threshold, unit,
    CASE
        WHEN gap IS NOT NULL THEN gap
        WHEN is_kept THEN NULL
        WHEN value = threshold THEN 'at_threshold'
        WHEN value < threshold THEN 'below_threshold'
        ELSE 'above_threshold'
    END AS reason
FROM judged
ORDER BY batch, clip_id, position
