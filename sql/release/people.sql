-- Identity of each person. One row per person of a video who has clips or was linked.
SELECT DISTINCT person_id, video_id, coalesce(p.identity_id, person_id) AS identity_id
FROM (SELECT person_id, video_id FROM people UNION SELECT person_id, video_id FROM clips)
LEFT JOIN (SELECT person_id, identity_id FROM people) AS p USING (person_id)
ORDER BY person_id
