-- Talking clips that represent the branch best: good tiers first, from as many videos as possible.
SELECT clip_id, tier, duration_s
FROM (
    SELECT b.*, CASE b.tier WHEN 'sft' THEN 1 WHEN 'pretrain' THEN 2 ELSE 3 END AS rank
    FROM branch_single AS b
    WHERE b.profile = $profile
)
ORDER BY row_number() OVER (PARTITION BY video_id ORDER BY rank, duration_s DESC, clip_id), rank, clip_id
LIMIT $limit
