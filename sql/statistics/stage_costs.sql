-- What does each stage cost, in seconds and as hours of video per hour, and how often does it give no result?
-- Not in clips and hours per profile: one row per stage.
SELECT o.stage,
    count(*) AS videos,
    count_if(o.status = 'not_evaluated')::BIGINT AS not_evaluated,
    count_if(o.status = 'skipped')::BIGINT AS skipped,
    round(sum(o.elapsed_s), 3) AS elapsed_s,
    round(sum(o.media_s), 3) AS media_s,
    round(sum(o.model_s), 3) AS model_s,
    round(quantile_cont(o.elapsed_s, 0.95), 3) AS slowest_5_percent_s,
    round(sum(v.duration_s) FILTER (WHERE o.status = 'ok') / nullif(sum(o.elapsed_s) FILTER (WHERE o.status = 'ok'), 0), 2)
        AS speed_ratio
FROM stage_outcomes AS o
LEFT JOIN videos AS v ON v.video_id = o.video_id
GROUP BY o.stage
ORDER BY elapsed_s DESC, o.stage
