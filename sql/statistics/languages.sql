-- Which languages are spoken in the clips? (the language of most of a clip's recognised speech, or 'unknown')
WITH spoken AS (
    SELECT c.clip_id, s.language, sum(s.end_s - s.start_s) AS seconds
    FROM (SELECT clip_id, unnest(turn_ids) AS turn_id FROM clips WHERE role = 'talking') AS c
    JOIN transcripts AS s ON s.turn_id = c.turn_id
    GROUP BY c.clip_id, s.language
),
main AS (SELECT clip_id, arg_max(language, seconds) AS language FROM spoken GROUP BY clip_id)
SELECT t.profile, t.tier, coalesce(m.language, 'unknown') AS language,
    count(*) AS clips,
    round(sum(c.duration_s) / 3600, 6) AS hours,
    round(count(*) / sum(count(*)) OVER (PARTITION BY t.profile, t.tier), 4) AS share
FROM clips AS c
JOIN tiers AS t ON t.clip_id = c.clip_id
LEFT JOIN main AS m ON m.clip_id = c.clip_id
WHERE c.role = 'talking'
GROUP BY t.profile, t.tier, coalesce(m.language, 'unknown')
ORDER BY t.profile, t.tier, clips DESC, language
