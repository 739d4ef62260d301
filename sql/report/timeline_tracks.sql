-- Face tracks of these videos, with their people.
SELECT video_id, track_id, person_id, start_s, end_s
FROM face_tracks
WHERE list_contains($video_ids, video_id) AND start_s < $until_s AND person_id IS NOT NULL
ORDER BY video_id, start_s, track_id
