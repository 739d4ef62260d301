-- Which clips repeat an earlier source? (video_id is the later source; share is of the clip, 0-1)
-- Not in clips and hours per profile: one row per clip.
SELECT c.batch, c.clip_id, c.video_id, d.duplicate_of,
    round(sum(least(c.end_s, d.end_s) - greatest(c.start_s, d.start_s)) / any_value(c.duration_s), 4) AS share,
    round(avg(d.distance), 2) AS distance,
    round(max(d.agreement), 4) AS agreement
FROM clips AS c
JOIN near_duplicates AS d ON d.video_id = c.video_id AND d.start_s < c.end_s AND d.end_s > c.start_s
GROUP BY c.batch, c.clip_id, c.video_id, d.duplicate_of
ORDER BY c.clip_id, d.duplicate_of
