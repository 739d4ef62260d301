-- Verdict of each gate of the profile on these clips, and the range of all clips' values.
WITH ranges AS (
    SELECT gate, quantile_cont(value, 0.01) AS low, quantile_cont(value, 0.99) AS high
    FROM clip_gates
    WHERE profile = $profile
    GROUP BY gate
)
SELECT g.clip_id, g.gate, coalesce(g.measure, g.gate) AS measure, g.level, g.mode, g.verdict, g.value, g.keep, g.threshold, g.upper_threshold, g.unit,
    g.reason, r.low, r.high
FROM clip_gates AS g
JOIN ranges AS r ON r.gate = g.gate
WHERE g.profile = $profile AND list_contains($clip_ids, g.clip_id)
ORDER BY g.clip_id, g.position
