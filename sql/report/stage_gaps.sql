-- Stages that gave no result, or nothing to find, by reason, with the number of videos.
SELECT stage, status, coalesce(reason, 'no reason given') AS reason, count(*) AS videos, min(detail) AS detail
FROM stage_outcomes
WHERE status <> 'ok' OR reason IS NOT NULL
GROUP BY stage, status, reason
ORDER BY status, videos DESC, stage, reason
