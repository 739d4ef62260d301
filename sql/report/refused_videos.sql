-- Rejected and degraded videos by reason: how many, with examples.
SELECT status, coalesce(reason, 'no reason given') AS reason, count(*) AS videos,
    coalesce(sum(duration_s), 0) / 3600 AS hours,
    min(source_name) AS example, arg_min(detail, source_name) AS detail
FROM videos
WHERE status <> 'ok'
GROUP BY ALL
ORDER BY status DESC, videos DESC, reason
