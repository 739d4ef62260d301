-- Histogram of these gates' values, in equal bins between two edges per gate. Values outside count in the end bins.
WITH charts AS (
    SELECT unnest($gates) AS gate, unnest($lows) AS low, unnest($highs) AS high
)
SELECT g.gate,
    least(greatest(floor((g.value - c.low) / (c.high - c.low) * $bins), 0), $bins - 1)::BIGINT AS bin,
    t.tier, count(*) AS clips
FROM clip_gates AS g
JOIN charts AS c ON c.gate = g.gate
JOIN tiers AS t ON t.clip_id = g.clip_id AND t.profile = $profile
WHERE g.profile = $profile AND g.value IS NOT NULL
GROUP BY ALL
ORDER BY ALL
