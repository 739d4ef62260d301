-- How many samples and hours does each branch have in each tier?
-- Every branch × tier has a row, even an empty one. clips counts a branch's rows (a pair is one), people the identities in
-- them.
WITH identities AS (SELECT person_id, identity_id FROM people),
samples AS (
    SELECT profile, 'single' AS branch, tier, duration_s, [person_id] AS people FROM branch_single
    UNION ALL
    SELECT profile, 'dialogue', tier, duration_s, [initiator_person_id, responder_person_id] FROM branch_dialogue
    UNION ALL
    SELECT profile, 'listening', tier, duration_s, [listener_person_id] FROM branch_listening
    UNION ALL
    SELECT profile, 'multi_turn_' || mode, tier, duration_s, [person_id] FROM branch_multi_turn
),
totals AS (
    SELECT profile, branch, tier, count(*) AS clips, sum(duration_s) AS seconds FROM samples GROUP BY ALL
),
persons AS (
    SELECT s.profile, s.branch, s.tier, count(DISTINCT coalesce(i.identity_id, s.person_id)) AS person_count
    FROM (SELECT profile, branch, tier, unnest(people) AS person_id FROM samples) AS s
    LEFT JOIN identities AS i ON i.person_id = s.person_id
    GROUP BY ALL
),
cells AS (
    SELECT p.profile, b.branch, b.position, t.tier, t.rank
    FROM (SELECT DISTINCT profile FROM tiers) AS p
    CROSS JOIN (
        VALUES ('single', 1), ('dialogue', 2), ('listening', 3), ('multi_turn_contextual', 4), ('multi_turn_sequential', 5)
    ) AS b (branch, position)
    CROSS JOIN (VALUES ('sft', 1), ('pretrain', 2), ('rejected', 3)) AS t (tier, rank)
)
SELECT c.profile, c.branch, c.tier,
    coalesce(t.clips, 0)::BIGINT AS clips,
    round(coalesce(t.seconds, 0) / 3600, 6) AS hours,
    coalesce(n.person_count, 0)::BIGINT AS people
FROM cells AS c
LEFT JOIN totals AS t ON t.profile = c.profile AND t.branch = c.branch AND t.tier = c.tier
LEFT JOIN persons AS n ON n.profile = c.profile AND n.branch = c.branch AND n.tier = c.tier
ORDER BY c.profile, c.position, c.rank
