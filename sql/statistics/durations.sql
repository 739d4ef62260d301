-- How long are the clips? (bins of SpeakerVid-5M's figure: 3-5, 5-10, 10-15 s)
-- published_share is read from the paper's ring chart; the paper's own mean of 6.03 s contradicts it.
WITH binned AS (
    SELECT t.profile, t.tier, c.role, c.duration_s,
        CASE
            WHEN c.duration_s < 3 THEN '00-03'
            WHEN c.duration_s < 5 THEN '03-05'
            WHEN c.duration_s < 10 THEN '05-10'
            ELSE '10-15'
        END AS duration_bin
    FROM clips AS c JOIN tiers AS t ON t.clip_id = c.clip_id
)
SELECT profile, tier, role, duration_bin,
    count(*) AS clips,
    round(sum(duration_s) / 3600, 6) AS hours,
    round(count(*) / sum(count(*)) OVER (PARTITION BY profile, tier, role), 4) AS share,
    round(avg(duration_s), 3) AS mean_s,
    CASE duration_bin WHEN '03-05' THEN 0.1 WHEN '05-10' THEN 0.4 WHEN '10-15' THEN 0.5 END::DOUBLE AS published_share
FROM binned
GROUP BY profile, tier, role, duration_bin
ORDER BY profile, tier, role, duration_bin
