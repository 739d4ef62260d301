-- Number of clips by length in whole seconds and by tier.
SELECT floor(c.duration_s)::BIGINT AS second, t.tier, count(*) AS clips
FROM clips AS c JOIN tiers AS t ON t.clip_id = c.clip_id AND t.profile = $profile
GROUP BY ALL
ORDER BY ALL
