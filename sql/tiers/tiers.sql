-- Tier of each clip, and the gates that keep it out of a better one.
-- A gate counts if it is enforced and failed, or if it was not evaluated and the profile does not let that pass. Then:
--   fail (also not_evaluated: fail) at level pretrain → rejected; at level sft → at most pretrain;
--   not_evaluated: hold, at either level → at most pretrain.
-- Every such gate is a reason, in the profile's order: its name, or `name:why` if it was not evaluated.
WITH judged AS (
    SELECT
        batch, video_id, clip_id, position, level,
        mode = 'enforce' AND (verdict = 'fail' OR (verdict = 'not_evaluated' AND not_evaluated <> 'pass')) AS counts,
        verdict = 'fail' OR not_evaluated = 'fail' AS is_hard,
        CASE WHEN verdict = 'fail' THEN gate ELSE gate || ':' || coalesce(reason, 'not_evaluated') END AS reason
    FROM clip_gates
    WHERE list_contains($batches, batch) AND profile = $profile
)
SELECT
    batch, video_id, clip_id, $profile AS profile,
    CASE
        WHEN bool_or(counts AND is_hard AND level = 'pretrain') THEN 'rejected'
        WHEN bool_or(counts) THEN 'pretrain'
        ELSE 'sft'
    END AS tier,
    coalesce(list(reason ORDER BY position) FILTER (WHERE counts), []) AS reasons
FROM judged
GROUP BY batch, video_id, clip_id
ORDER BY batch, clip_id
