-- Face tracks, with shot and person, that belong to the object with this $kind and $id.
SELECT f.track_id, f.start_s, f.end_s, f.detection_score, f.embedding_status, f.liveness, f.liveness_status,
    h.shot_id, h.start_s AS shot_start_s, h.end_s AS shot_end_s,
    f.person_id, p.identity_id, p.identity_similarity, p.speaker_id, p.speaking_s
FROM face_tracks AS f
LEFT JOIN shots AS h ON h.shot_id = f.shot_id
LEFT JOIN people AS p ON p.person_id = f.person_id
WHERE f.video_id = $video_id AND (
    f.track_id IN (SELECT track_id FROM clips WHERE list_contains($clips, clip_id))
    OR CASE $kind
        WHEN 'video' THEN true
        WHEN 'shot' THEN f.shot_id = $id
        WHEN 'track' THEN f.track_id = $id
        WHEN 'person' THEN f.person_id = $id
        WHEN 'turn' THEN f.track_id IN (SELECT track_id FROM speaker_bindings WHERE turn_id = $id)
        ELSE false
    END
)
ORDER BY f.start_s, f.track_id
