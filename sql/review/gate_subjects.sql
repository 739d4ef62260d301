-- Clips next to each gate's threshold, on either side, and random other clips.
-- Enforced gates, and always lip sync; if $gates has names, those gates, whatever their mode. Bounded: per side the nearest
-- $count clips and ten times as many at random (by a hash with the seed), whatever the lake's size.
WITH asked AS (
    SELECT gate, position, measure, clip_id AS subject_id, verdict, value, threshold, upper_threshold,
        least(abs(value - threshold), abs(value - upper_threshold)) AS distance,
        md5($seed || '/' || clip_id) AS mixed
    FROM clip_gates
    WHERE profile = $profile AND verdict IN ('pass', 'fail') AND measure IS NOT NULL  -- null: by an older package
        AND CASE WHEN len($gates) > 0 THEN list_contains($gates, gate)
            ELSE mode = 'enforce' OR measure = 'sync_conf' END
),
placed AS (
    SELECT *,
        row_number() OVER (PARTITION BY gate, verdict ORDER BY distance, mixed) AS nearness,
        row_number() OVER (PARTITION BY gate, verdict ORDER BY mixed) AS lot
    FROM asked
)
SELECT gate, measure, subject_id, verdict, value, threshold, upper_threshold
FROM placed
WHERE nearness <= $count OR lot <= 10 * $count OR list_contains($first, subject_id)
ORDER BY position, subject_id
