-- Claims of the pipeline about clips, pairs and listening samples, with their evidence (higher is surer).
-- binding: the outlined person speaks (by the smallest margin of its turns); reply: the responder answers the initiator
-- (the shorter the gap, the surer); listening: the listener listens (by the margin in talking); quality: tier <> 'rejected'.
-- Bounded like gate_subjects.sql.
WITH claimed AS (
    SELECT 'binding' AS question, clip_id AS subject_id, sync_margin AS evidence, true AS is_kept
    FROM clips
    WHERE role = 'talking'
    UNION ALL SELECT 'reply', pair_id, -gap_s, true FROM branch_dialogue WHERE profile = $profile
    UNION ALL SELECT 'listening', listening_id, margin, true FROM branch_listening WHERE profile = $profile
    UNION ALL SELECT 'quality', clip_id, NULL, tier <> 'rejected' FROM tiers WHERE profile = $profile
),
placed AS (
    SELECT *,
        row_number() OVER (PARTITION BY question ORDER BY evidence NULLS FIRST, md5($seed || '/' || subject_id)) AS weakness,
        row_number() OVER (PARTITION BY question, is_kept ORDER BY md5($seed || '/' || subject_id)) AS lot
    FROM claimed
)
SELECT question, subject_id, evidence, is_kept
FROM placed
WHERE (question <> 'quality' AND weakness <= $count) OR lot <= 10 * $count OR list_contains($first, subject_id)
ORDER BY question, subject_id
