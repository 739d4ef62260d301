-- How large are the pictures that clips are cut from? (bins of SpeakerVid-5M's figure, by the short side)
-- published_share is read from the paper's ring chart of its sources.
WITH binned AS (
    SELECT t.profile, t.tier, c.duration_s,
        CASE
            WHEN least(v.width_px, v.height_px) > 1080 THEN 'above 1080p'
            WHEN least(v.width_px, v.height_px) = 1080 THEN '1080p'
            WHEN least(v.width_px, v.height_px) >= 720 THEN '720p'
            WHEN v.width_px IS NULL THEN 'unknown'
            ELSE 'below 720p'
        END AS resolution,
        coalesce(least(v.width_px, v.height_px), -1) AS short_side_px
    FROM clips AS c
    JOIN videos AS v ON v.video_id = c.video_id
    JOIN tiers AS t ON t.clip_id = c.clip_id
)
SELECT profile, tier, resolution,
    count(*) AS clips,
    round(sum(duration_s) / 3600, 6) AS hours,
    round(count(*) / sum(count(*)) OVER (PARTITION BY profile, tier), 4) AS share,
    CASE resolution WHEN 'above 1080p' THEN 0.03 WHEN '1080p' THEN 0.9 WHEN '720p' THEN 0.05 WHEN 'below 720p' THEN 0.02
    END::DOUBLE AS published_share
FROM binned
GROUP BY profile, tier, resolution
ORDER BY profile, tier, max(short_side_px) DESC
