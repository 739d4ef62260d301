-- Identities that must stay in one split, with their number of clips. One row per clip or pair; `other` null: one person.
-- All branches and tiers of the profile count, so that a person is in the same split whichever of them is exported.
WITH who AS (SELECT person_id, identity_id FROM people),
pairs AS (
    SELECT initiator_person_id AS person_id, responder_person_id AS other_id FROM branch_dialogue WHERE profile = $profile
    UNION ALL
    SELECT listener_person_id, speaker_person_id FROM branch_listening
    WHERE profile = $profile AND speaker_person_id IS NOT NULL
    UNION ALL
    SELECT m.person_id, f.person_id FROM branch_multi_turn AS m
    JOIN branch_multi_turn AS f ON f.profile = m.profile AND f.mode = m.mode AND f.session_id = m.session_id
        AND f.turn_index = 0
    WHERE m.profile = $profile
)
SELECT coalesce(a.identity_id, p.person_id) AS identity_id, coalesce(b.identity_id, p.other_id) AS other_id, 0 AS clips
FROM pairs AS p LEFT JOIN who AS a USING (person_id) LEFT JOIN who AS b ON b.person_id = p.other_id
GROUP BY ALL
UNION ALL
SELECT coalesce(w.identity_id, c.person_id), NULL, count(*)
FROM clips AS c LEFT JOIN who AS w USING (person_id)
GROUP BY ALL
ORDER BY ALL
