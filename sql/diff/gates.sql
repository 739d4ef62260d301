-- Effect of each gate of $profile on these $clips.
-- weight: 0 none, 1 it bars the clip from sft, 2 it rejects the clip (as in sql/tiers).
SELECT clip_id, gate, verdict, value, keep, threshold, upper_threshold,
    CASE
        WHEN mode <> 'enforce' OR verdict = 'pass' OR (verdict = 'not_evaluated' AND not_evaluated = 'pass') THEN 0
        WHEN level = 'pretrain' AND (verdict = 'fail' OR not_evaluated = 'fail') THEN 2
        ELSE 1
    END AS weight
FROM clip_gates
WHERE profile = $profile AND list_contains($clips, clip_id)
