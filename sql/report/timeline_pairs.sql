-- Dialogue pairs in these videos.
SELECT b.video_id, b.pair_id, b.initiator_person_id, b.responder_person_id, b.gap_s, b.tier,
    i.end_s AS initiator_end_s, r.start_s AS responder_start_s
FROM branch_dialogue AS b
JOIN clips AS i ON i.clip_id = b.initiator_clip_id
JOIN clips AS r ON r.clip_id = b.responder_clip_id
WHERE list_contains($video_ids, b.video_id) AND b.profile = $profile AND r.start_s < $until_s
ORDER BY b.video_id, r.start_s, b.pair_id
