-- Verdicts of the gates of the profile on these $clips (with $only_objections, only those that did not pass).
SELECT clip_id, gate, measure, value,
    CASE
        WHEN threshold IS NULL THEN keep || ' percentile'
        WHEN keep = 'between' THEN printf('in [%g, %g]', threshold, upper_threshold)
        ELSE keep || printf(' %g', threshold)
    END AS rule,
    threshold, upper_threshold, unit, verdict, reason, level, mode,
    CASE not_evaluated WHEN 'hold' THEN 'holds out of sft' WHEN 'fail' THEN 'fails' WHEN 'pass' THEN 'passes' END AS missing
FROM clip_gates
WHERE profile = $profile AND list_contains($clips, clip_id) AND (NOT $only_objections OR verdict <> 'pass')
ORDER BY clip_id, position, gate
