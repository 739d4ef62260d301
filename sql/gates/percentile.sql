-- Which value of a measure is its $share quantile over the clips of the whole lake that the gate asks, and over how many?
-- Interpolated between neighbours (quantile_cont), so that it depends on nothing but the values.
SELECT quantile_cont(m.value, $share) AS threshold, count(m.value) AS clip_count
FROM clip_measures AS m
JOIN clips AS c ON c.clip_id = m.clip_id
WHERE m.measure = $measure AND m.value IS NOT NULL AND $applies_to IN ('all', c.role)
