-- Parts of a listening sample: who is seen, what is heard, and the clip that shows the speaker meanwhile, if there is one.
SELECT b.batch, b.video_id, b.listener_clip_id, b.mode, b.margin, b.start_s, b.end_s, b.tier,
    (SELECT string_agg(trim(s.text), ' ' ORDER BY s.start_s) FROM transcripts AS s WHERE s.turn_id = b.speaker_turn_id) AS heard,
    (
        SELECT arg_max(c.clip_id, least(c.end_s, b.end_s) - greatest(c.start_s, b.start_s))
        FROM clips AS c
        WHERE c.video_id = b.video_id AND c.role = 'talking' AND c.clip_id <> b.listener_clip_id
            AND list_contains(c.turn_ids, b.speaker_turn_id) AND c.start_s < b.end_s AND c.end_s > b.start_s
    ) AS speaker_clip_id
FROM branch_listening AS b
WHERE b.profile = $profile AND b.listening_id = $subject
