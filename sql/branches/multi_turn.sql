-- Clips that follow one another in a conversation, with what was said before each.
-- contextual: a talking clip with everybody's words in the $multi_turn_window_s before it; a session continues while less
--   than that passes between two such clips. A clip with no words before it has no row.
-- sequential: talking clips less than $multi_turn_max_gap_s apart, two or more; consecutive clips of one person are
--   separate turns.
WITH talking AS (
    SELECT c.batch, c.video_id, c.clip_id, c.person_id, c.start_s, c.end_s, c.duration_s, t.tier
    FROM clips AS c
    JOIN tiers AS t ON t.clip_id = c.clip_id AND t.profile = $profile AND list_contains($batches, t.batch)
    WHERE list_contains($batches, c.batch) AND c.role = 'talking'
),
-- words of each segment in the window before each clip: whole words that end before the clip begins
said AS (
    SELECT k.clip_id, s.start_s, s.speaker_id,
        list_transform(
            list_filter(s.words, lambda w: w.end_s <= k.start_s AND w.start_s >= k.start_s - $multi_turn_window_s),
            lambda w: trim(w.word)
        ) AS words,
        s.language IN ('zh', 'ja', 'yue', 'th', 'lo', 'my', 'km') AS is_unspaced
    FROM talking AS k
    JOIN transcripts AS s
        ON s.video_id = k.video_id AND s.start_s < k.start_s AND s.end_s > k.start_s - $multi_turn_window_s
    WHERE list_contains($batches, s.batch)
),
history AS (
    SELECT clip_id, string_agg(
        speaker_id || ': ' || CASE WHEN is_unspaced THEN array_to_string(words, '') ELSE array_to_string(words, ' ') END,
        E'\n' ORDER BY start_s, speaker_id
    ) AS history
    FROM said
    WHERE len(words) > 0
    GROUP BY clip_id
),
turns AS (
    SELECT k.*, 'contextual' AS mode, h.history, $multi_turn_window_s AS limit_s
    FROM talking AS k JOIN history AS h ON h.clip_id = k.clip_id
    UNION ALL
    SELECT k.*, 'sequential' AS mode, NULL AS history, $multi_turn_max_gap_s AS limit_s
    FROM talking AS k
),
followed AS (
    SELECT *, start_s - lag(end_s) OVER ordered AS gap_s,
        -- a short clip inside a longer one must not end the session
        start_s - max(end_s) OVER (ordered ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS silence_s
    FROM turns
    WINDOW ordered AS (PARTITION BY video_id, mode ORDER BY start_s, end_s, clip_id)
),
chained AS (
    SELECT *, count_if(silence_s IS NULL OR silence_s >= limit_s) OVER (
        PARTITION BY video_id, mode ORDER BY start_s, end_s, clip_id ROWS UNBOUNDED PRECEDING
    ) - 1 AS session
    FROM followed
),
counted AS (
    SELECT *,
        count(*) OVER (PARTITION BY video_id, mode, session) AS size,
        row_number() OVER (PARTITION BY video_id, mode, session ORDER BY start_s, end_s, clip_id) - 1 AS turn_index
    FROM chained
)
SELECT
    batch, video_id, $profile AS profile,
    video_id || '-m' || lpad(session::VARCHAR, 4, '0') AS session_id,
    turn_index, clip_id, person_id, mode,
    CASE WHEN turn_index > 0 THEN gap_s END AS gap_s,
    history, duration_s, tier
FROM counted
WHERE mode = 'contextual' OR size > 1
ORDER BY batch, mode, session_id, turn_index
