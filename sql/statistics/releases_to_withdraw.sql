-- Which releases contain a source that was taken down? (one row per release and source)
-- Not in clips and hours per profile: one row per release and source.
SELECT DISTINCT r.release_id, r.place, t.video_id, t.at AS taken_down_at, t.reason
FROM takedowns AS t
JOIN releases AS r ON list_contains(t.release_ids, r.release_id)
ORDER BY r.release_id, r.place, t.video_id
