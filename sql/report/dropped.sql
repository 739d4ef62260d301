-- Face time that became no clip, by reason.
SELECT reason, role, count(*) AS spans, sum(end_s - start_s) / 3600 AS hours
FROM dropped_spans
GROUP BY reason, role
ORDER BY hours DESC, reason, role
