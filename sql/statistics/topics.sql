-- What are the videos that clips are cut from about? (the container's own genre, or 'unknown': no model guesses topics)
-- published_share is read from the paper's ring chart of its sources, whose topics a language model assigned.
WITH named AS (
    SELECT t.profile, t.tier, c.duration_s, coalesce(v.genre, 'unknown') AS topic
    FROM clips AS c
    JOIN videos AS v ON v.video_id = c.video_id
    JOIN tiers AS t ON t.clip_id = c.clip_id
)
SELECT profile, tier, topic,
    count(*) AS clips,
    round(sum(duration_s) / 3600, 6) AS hours,
    round(count(*) / sum(count(*)) OVER (PARTITION BY profile, tier), 4) AS share,
    CASE lower(topic)
        WHEN 'entertainment' THEN 0.32 WHEN 'people' THEN 0.25 WHEN 'comedy' THEN 0.12 WHEN 'education' THEN 0.12
        WHEN 'news' THEN 0.11 WHEN 'others' THEN 0.06 WHEN 'science' THEN 0.03 WHEN 'sports' THEN 0.02
    END::DOUBLE AS published_share
FROM named
GROUP BY profile, tier, topic
ORDER BY profile, tier, clips DESC, topic
