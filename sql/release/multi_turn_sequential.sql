-- Sessions that are samples of a release. A session's tier is that of its worst turn; clip_ids are in order.
SELECT * FROM (
    SELECT session_id AS sample_id, video_id, sum(duration_s) AS duration_s,
        CASE max(CASE tier WHEN 'sft' THEN 0 WHEN 'pretrain' THEN 1 ELSE 2 END)
            WHEN 0 THEN 'sft' WHEN 1 THEN 'pretrain' ELSE 'rejected'
        END AS tier,
        list(clip_id ORDER BY turn_index) AS clip_ids,
        list(person_id ORDER BY turn_index) AS person_ids,
        list(gap_s ORDER BY turn_index) AS gaps_s
    FROM branch_multi_turn
    WHERE profile = $profile AND mode = 'sequential'
    GROUP BY session_id, video_id
)
WHERE list_contains($tiers, tier)
ORDER BY sample_id
