-- From which years are the videos that clips are cut from? (bins of SpeakerVid-5M's figure; 'unknown' if a file has no date)
-- The year is that of the container's date; published_share is read from the paper's ring chart of its sources.
WITH binned AS (
    SELECT t.profile, t.tier, c.duration_s, v.year,
        CASE
            WHEN v.year IS NULL THEN 'unknown'
            WHEN v.year >= 2020 THEN 'since 2020'
            WHEN v.year >= 2015 THEN '2015-2019'
            WHEN v.year >= 2010 THEN '2010-2014'
            ELSE 'before 2010'
        END AS years
    FROM clips AS c
    JOIN videos AS v ON v.video_id = c.video_id
    JOIN tiers AS t ON t.clip_id = c.clip_id
)
SELECT profile, tier, years,
    count(*) AS clips,
    round(sum(duration_s) / 3600, 6) AS hours,
    round(count(*) / sum(count(*)) OVER (PARTITION BY profile, tier), 4) AS share,
    CASE years WHEN 'since 2020' THEN 0.67 WHEN '2015-2019' THEN 0.23 WHEN '2010-2014' THEN 0.08 WHEN 'before 2010' THEN 0.02
    END::DOUBLE AS published_share
FROM binned
GROUP BY profile, tier, years
ORDER BY profile, tier, max(year) DESC NULLS LAST
