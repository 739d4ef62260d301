-- Parts of a dialogue pair.
SELECT batch, video_id, initiator_clip_id, responder_clip_id, gap_s, is_same_shot, tier
FROM branch_dialogue
WHERE profile = $profile AND pair_id = $subject
