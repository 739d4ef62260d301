-- $share quantile of a score over all clips in the lake that the gate tests, and the number of these clips.
-- Interpolated (quantile_cont), so that it depends on nothing but the values.
SELECT quantile_cont(m.value, $share) AS threshold, count(m.value) AS clip_count
FROM clip_measures AS m
JOIN clips AS c ON c.clip_id = m.clip_id
WHERE m.measure = $measure AND m.value IS NOT NULL AND $applies_to IN ('all', c.role)
