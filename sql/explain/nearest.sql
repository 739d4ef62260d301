-- Ids that are most similar to $wanted.
SELECT id FROM (
    SELECT video_id AS id FROM videos
    UNION SELECT source_name FROM videos
    UNION SELECT shot_id FROM shots
    UNION SELECT track_id FROM face_tracks
    UNION SELECT person_id FROM people
    UNION SELECT turn_id FROM speech_turns
    UNION SELECT clip_id FROM clips
    UNION SELECT pair_id FROM branch_dialogue
    UNION SELECT listening_id FROM branch_listening
    UNION SELECT session_id FROM branch_multi_turn
)
ORDER BY levenshtein(id, $wanted), id
LIMIT 3
