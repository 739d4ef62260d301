-- Which value of a measure is its $share quantile over the whole lake, and over how many clips?
SELECT quantile_cont(value, $share) AS threshold, count(value) AS clip_count
FROM clip_measures
WHERE measure = $measure AND value IS NOT NULL
