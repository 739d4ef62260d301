-- Which tier is each clip in, and which gates keep it from a better one?
-- A gate counts when it is enforced and failed, or is not evaluated and the profile does not let that pass. Then:
--   fail (also not_evaluated: fail) at level pretrain → rejected; at level sft → at most pretrain;
--   not_evaluated: hold, at either level → at most pretrain.
-- Every such gate is a reason: its name, or `name:why` when it was not evaluated.
WITH judged AS (
    SELECT
        c.batch, c.video_id, c.clip_id, c.gate, c.level,
        c.mode = 'enforce' AND (c.verdict = 'fail' OR (c.verdict = 'not_evaluated' AND g.not_evaluated <> 'pass')) AS counts,
        c.verdict = 'fail' OR g.not_evaluated = 'fail' AS is_hard,
        CASE WHEN c.verdict = 'fail' THEN c.gate ELSE c.gate || ':' || coalesce(c.reason, 'not_evaluated') END AS reason
    FROM clip_gates AS c
    JOIN profile_gates AS g ON g.gate = c.gate
    WHERE list_contains($batches, c.batch) AND c.profile = $profile
)
SELECT
    batch, video_id, clip_id, $profile AS profile,
    CASE
        WHEN bool_or(counts AND is_hard AND level = 'pretrain') THEN 'rejected'
        WHEN bool_or(counts) THEN 'pretrain'
        ELSE 'sft'
    END AS tier,
    coalesce(list(reason ORDER BY gate) FILTER (WHERE counts), []) AS reasons
FROM judged
GROUP BY batch, video_id, clip_id
ORDER BY batch, clip_id
