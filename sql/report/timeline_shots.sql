-- Shots of these videos.
SELECT video_id, shot_id, shot_index, start_s, end_s
FROM shots
WHERE list_contains($video_ids, video_id) AND start_s < $until_s
ORDER BY video_id, start_s
