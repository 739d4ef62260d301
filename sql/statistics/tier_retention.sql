-- How much of the source footage ends up as clips, by tier? (SpeakerVid-5M kept 13.6 % of its hours)
-- share is of the hours of all videos of known duration; clips of two people at the same time count twice, so that a split
-- screen can exceed 1.
WITH source AS (SELECT sum(duration_s) AS seconds FROM videos)
SELECT t.profile, t.tier,
    count(*) AS clips,
    round(sum(c.duration_s) / 3600, 6) AS hours,
    round(any_value(source.seconds) / 3600, 6) AS source_hours,
    round(sum(c.duration_s) / nullif(any_value(source.seconds), 0), 4) AS share
FROM tiers AS t
JOIN clips AS c ON c.clip_id = t.clip_id
CROSS JOIN source
GROUP BY t.profile, t.tier
ORDER BY t.profile, CASE t.tier WHEN 'sft' THEN 1 WHEN 'pretrain' THEN 2 ELSE 3 END
