-- Listening samples that represent the branch best, with what is heard: good tiers first, from as many videos as possible.
WITH chosen AS (
    SELECT *, row_number() OVER (PARTITION BY video_id ORDER BY rank, duration_s DESC, listening_id) AS place
    FROM (
        SELECT b.*, CASE b.tier WHEN 'sft' THEN 1 WHEN 'pretrain' THEN 2 ELSE 3 END AS rank
        FROM branch_listening AS b
        WHERE b.profile = $profile
    )
    ORDER BY place, rank, listening_id
    LIMIT $limit
)
SELECT listening_id, listener_clip_id, speaker_person_id, speaker_turn_id, mode, margin, start_s, end_s, tier, duration_s,
    (SELECT string_agg(s.text, ' ' ORDER BY s.start_s) FROM transcripts AS s WHERE s.turn_id = c.speaker_turn_id) AS heard
FROM chosen AS c
ORDER BY place, rank, listening_id
