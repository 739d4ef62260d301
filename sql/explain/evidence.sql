-- Lip sync of every face in view with each of these $turns.
SELECT s.turn_id, s.track_id, f.person_id, s.sync_conf, s.sync_dist, s.offset_frames, s.talking_score, s.backend, s.status,
    s.reason
FROM sync_scores AS s
LEFT JOIN face_tracks AS f ON f.track_id = s.track_id
WHERE s.video_id = $video_id AND list_contains($turns, s.turn_id)
ORDER BY s.turn_id, s.sync_conf DESC NULLS LAST, s.track_id
