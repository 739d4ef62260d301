-- Agreement of reviewers with one another, and of the pipeline with reviewers, per gate and per claim of the pipeline.
-- The reviewers' verdict on a subject is the majority of yes and no; unsure does not vote, and a tie is undecided. Positive
-- means pass: precision is the share of yes among what passes, recall the share that passes among yes.
-- light_kappa: Light's, the mean over pairs of reviewers of Cohen's kappa over the subjects that both answered with yes or
-- no; of two reviewers it is Cohen's (Light 1971, Psychological Bulletin 76, 365-377). A pair that chance alone would make
-- always agree (both gave one and the same answer throughout) does not count; null where there is no other.
-- Rows without a gate: `quality` is all gates together (tier <> 'rejected'); binding, reply and listening are the pipeline's
-- claims about everything it kept. There are no negatives among these, so recall and F1 do not exist.
-- Subjects near a threshold are reviewed more often than others: accuracy is that of the hard cases (as in TalkVid).
WITH votes AS (
    SELECT question, measure, subject_id,
        count(*) AS answers, CAST(count_if(answer = 'yes') AS BIGINT) AS yes, CAST(count_if(answer = 'no') AS BIGINT) AS no
    FROM reviews
    GROUP BY question, measure, subject_id
),
majority AS (
    SELECT question, measure, subject_id, answers,
        CASE WHEN yes > no THEN true WHEN no > yes THEN false END AS is_good
    FROM votes
),
both_said AS (
    SELECT a.question, a.measure, a.reviewer AS one, b.reviewer AS other,
        CAST(a.answer = 'yes' AS INT) AS one_yes, CAST(b.answer = 'yes' AS INT) AS other_yes
    FROM reviews AS a
    JOIN reviews AS b
        ON b.question = a.question AND b.measure IS NOT DISTINCT FROM a.measure AND b.subject_id = a.subject_id
        AND b.reviewer > a.reviewer
    WHERE a.answer <> 'unsure' AND b.answer <> 'unsure'
),
observed AS (
    SELECT question, measure, one, other, count(*) AS subjects,
        avg(CAST(one_yes = other_yes AS INT)) AS agreed,
        avg(one_yes) * avg(other_yes) + (1 - avg(one_yes)) * (1 - avg(other_yes)) AS by_chance
    FROM both_said
    GROUP BY question, measure, one, other
),
raters AS (
    SELECT question, measure, CAST(sum(subjects) AS BIGINT) AS doubly_answered,
        avg(CASE WHEN by_chance < 1 THEN (agreed - by_chance) / (1 - by_chance) END) AS light_kappa
    FROM observed
    GROUP BY question, measure
),
reviewers AS (
    SELECT question, measure, count(DISTINCT reviewer) AS reviewers FROM reviews GROUP BY question, measure
),
verdicts AS (
    SELECT CASE measure WHEN 'sync_conf' THEN 'lips' ELSE 'quality' END AS question,
        CASE WHEN measure <> 'sync_conf' THEN measure END AS asked,
        gate, position, level, mode, keep, threshold, unit, clip_id AS subject_id, verdict, value, true AS is_filter
    FROM clip_gates
    WHERE profile = $profile AND measure IS NOT NULL  -- null: decided by an older package
    UNION ALL
    SELECT 'quality', NULL, NULL, 0, NULL, NULL, NULL, NULL, NULL, clip_id,
        CASE tier WHEN 'rejected' THEN 'fail' ELSE 'pass' END, NULL, true
    FROM tiers
    WHERE profile = $profile
    UNION ALL
    SELECT claim.question, NULL, NULL, 0, NULL, NULL, NULL, NULL, NULL, claim.subject_id, 'pass', NULL, false
    FROM (
        SELECT 'binding' AS question, clip_id AS subject_id FROM clips WHERE role = 'talking'
        UNION ALL SELECT 'reply', pair_id FROM branch_dialogue WHERE profile = $profile
        UNION ALL SELECT 'listening', listening_id FROM branch_listening WHERE profile = $profile
    ) AS claim
),
judged AS (
    SELECT v.*, m.is_good, m.answers
    FROM verdicts AS v
    JOIN majority AS m
        ON m.question = v.question AND m.measure IS NOT DISTINCT FROM v.asked AND m.subject_id = v.subject_id
),
counted AS (
    SELECT question, asked, gate, any_value(position) AS position, any_value(level) AS level, any_value(mode) AS mode,
        any_value(keep) AS keep, any_value(unit) AS unit, median(threshold) AS threshold, bool_and(is_filter) AS is_filter,
        CAST(count_if(is_good IS NOT NULL AND verdict <> 'not_evaluated') AS BIGINT) AS subjects,
        CAST(count_if(is_good IS NULL) AS BIGINT) AS undecided,
        CAST(count_if(verdict = 'not_evaluated') AS BIGINT) AS not_evaluated,
        CAST(count_if(verdict = 'pass' AND is_good) AS BIGINT) AS true_positives,
        CAST(count_if(verdict = 'pass' AND NOT is_good) AS BIGINT) AS false_positives,
        CAST(count_if(verdict = 'fail' AND is_good) AS BIGINT) AS false_negatives,
        CAST(count_if(verdict = 'fail' AND NOT is_good) AS BIGINT) AS true_negatives,
        -- data to search for a better threshold; value and is_good in the same order
        list(value ORDER BY subject_id) FILTER (WHERE value IS NOT NULL AND is_good IS NOT NULL) AS values,
        list(is_good ORDER BY subject_id) FILTER (WHERE value IS NOT NULL AND is_good IS NOT NULL) AS is_good
    FROM judged
    GROUP BY question, asked, gate
)
SELECT c.question, c.gate, c.asked AS measure, c.level, c.mode, c.subjects, r.reviewers, a.doubly_answered, a.light_kappa,
    (c.true_positives + c.true_negatives) / nullif(c.subjects, 0) AS accuracy,
    c.true_positives / nullif(c.true_positives + c.false_positives, 0) AS precision,
    CASE WHEN c.is_filter THEN c.true_positives / nullif(c.true_positives + c.false_negatives, 0) END AS recall,
    CASE WHEN c.is_filter
        THEN 2 * c.true_positives / nullif(2 * c.true_positives + c.false_positives + c.false_negatives, 0)
    END AS f1,
    c.true_positives, c.false_positives, c.false_negatives, c.true_negatives, c.undecided, c.not_evaluated,
    c.keep, c.threshold, c.unit, c.values, c.is_good
FROM counted AS c
JOIN reviewers AS r ON r.question = c.question AND r.measure IS NOT DISTINCT FROM c.asked
LEFT JOIN raters AS a ON a.question = c.question AND a.measure IS NOT DISTINCT FROM c.asked
ORDER BY c.gate IS NOT NULL, c.question, c.position
