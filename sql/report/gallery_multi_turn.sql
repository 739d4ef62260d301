-- First turns of the sessions that represent a mode best: from as many videos as possible, long sessions first.
WITH sessions AS (
    SELECT session_id, video_id, count(*) AS turns, sum(duration_s) AS session_s
    FROM branch_multi_turn
    WHERE profile = $profile AND mode = $mode
    GROUP BY session_id, video_id
),
placed AS (
    SELECT *, row_number() OVER (PARTITION BY video_id ORDER BY turns DESC, session_id) AS place FROM sessions
),
chosen AS (FROM placed ORDER BY place, turns DESC, session_id LIMIT $limit)
SELECT c.session_id, c.turns, c.session_s, b.turn_index, b.clip_id, b.gap_s, b.history, b.tier
FROM chosen AS c
JOIN branch_multi_turn AS b ON b.session_id = c.session_id AND b.profile = $profile AND b.mode = $mode
WHERE b.turn_index < $turns_shown
ORDER BY c.place, c.turns DESC, c.session_id, b.turn_index
