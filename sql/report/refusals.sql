-- Batches that an audit currently keeps out of their table.
SELECT "table", batch, expectation, count(*) AS findings, any_value(observed) AS observed
FROM quarantine
WHERE is_open AND severity = 'critical'
GROUP BY ALL
ORDER BY "table", batch, expectation
LIMIT $limit
