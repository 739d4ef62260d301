-- Stages that gave no result, by reason, with the number of videos.
SELECT stage, status, coalesce(reason, 'no reason given') AS reason, count(*) AS videos, min(detail) AS detail
FROM stage_outcomes
WHERE status <> 'ok'
GROUP BY stage, status, reason
ORDER BY status, videos DESC, stage, reason
