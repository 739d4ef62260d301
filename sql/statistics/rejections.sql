-- Why are clips not in a better tier, and how many does each reason alone keep out?
-- share is of all clips of the profile; only_clips are clips with no other reason: those that dropping the gate would move.
WITH reasons AS (
    SELECT t.profile, t.tier, unnest(t.reasons) AS reason, len(t.reasons) AS reason_count, c.duration_s
    FROM tiers AS t JOIN clips AS c ON c.clip_id = t.clip_id
),
totals AS (SELECT profile, count(*) AS clips FROM tiers GROUP BY profile)
SELECT r.profile, r.tier, r.reason,
    count(*) AS clips,
    count_if(r.reason_count = 1)::BIGINT AS only_clips,
    round(sum(r.duration_s) / 3600, 6) AS hours,
    round(count(*) / any_value(t.clips), 4) AS share
FROM reasons AS r JOIN totals AS t ON t.profile = r.profile
GROUP BY r.profile, r.tier, r.reason
ORDER BY r.profile, r.tier, clips DESC, r.reason
