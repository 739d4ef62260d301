-- Each gate of the profile: its rule, the clips' verdicts, and the range of their values.
-- low_edge and high_edge exclude the outermost 0.5 % if these are far out; the threshold differs between batches only for
-- percentile gates that were computed at different times.
WITH told AS (
    SELECT gate, level, mode, keep, unit,
        min(threshold) AS threshold_min, max(threshold) AS threshold_max,
        count(*) AS asked, count(value) AS measured,
        count_if(verdict = 'pass') AS passed, count_if(verdict = 'fail') AS failed,
        count_if(verdict = 'not_evaluated') AS not_evaluated,
        mode(reason) FILTER (WHERE verdict = 'not_evaluated') AS gap_reason,
        min(value) AS low, max(value) AS high, median(value) AS median,
        quantile_cont(value, 0.005) AS low_tail, quantile_cont(value, 0.995) AS high_tail
    FROM clip_gates
    WHERE profile = $profile
    GROUP BY gate, level, mode, keep, unit
)
SELECT * EXCLUDE (low_tail, high_tail),
    CASE WHEN low_tail - low > (high_tail - low_tail) / 2 THEN low_tail ELSE low END AS low_edge,
    CASE WHEN high - high_tail > (high_tail - low_tail) / 2 THEN high_tail ELSE high END AS high_edge
FROM told
ORDER BY level, mode, gate
