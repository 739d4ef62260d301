-- Videos for the report: those with the most pairs and clips first, then the others by name.
WITH paired AS (
    SELECT video_id, count(*) AS pairs FROM branch_dialogue WHERE profile = $profile GROUP BY video_id
),
clipped AS (
    SELECT c.video_id, count(*) AS clips, sum(c.duration_s) AS clip_s,
        count_if(t.tier = 'sft') AS sft_clips, count_if(t.tier = 'pretrain') AS pretrain_clips,
        count_if(t.tier = 'rejected') AS rejected_clips
    FROM clips AS c JOIN tiers AS t ON t.clip_id = c.clip_id AND t.profile = $profile
    GROUP BY c.video_id
)
SELECT v.video_id, v.source_name, v.duration_s, v.width_px, v.height_px, v.fps, v.status, v.reason, v.detail,
    coalesce(c.clips, 0) AS clips, coalesce(c.clip_s, 0) AS clip_s,
    coalesce(c.sft_clips, 0) AS sft_clips, coalesce(c.pretrain_clips, 0) AS pretrain_clips,
    coalesce(c.rejected_clips, 0) AS rejected_clips, coalesce(p.pairs, 0) AS pairs
FROM videos AS v
LEFT JOIN clipped AS c ON c.video_id = v.video_id
LEFT JOIN paired AS p ON p.video_id = v.video_id
ORDER BY coalesce(p.pairs, 0) > 0 DESC, coalesce(c.clips, 0) DESC, v.status = 'rejected', v.source_name, v.video_id
LIMIT $limit
