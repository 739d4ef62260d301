-- Dialogue pairs that represent the branch best: good tiers first, from as many videos as possible.
SELECT pair_id, initiator_clip_id, responder_clip_id, gap_s, is_same_shot, tier, duration_s
FROM (
    SELECT b.*, CASE b.tier WHEN 'sft' THEN 1 WHEN 'pretrain' THEN 2 ELSE 3 END AS rank
    FROM branch_dialogue AS b
    WHERE b.profile = $profile
)
ORDER BY row_number() OVER (PARTITION BY video_id ORDER BY rank, duration_s DESC, pair_id), rank, pair_id
LIMIT $limit
