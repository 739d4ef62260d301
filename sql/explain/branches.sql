-- Branches of these $clips under $profile; for the other branches, the reason why the clip is not in them.
-- The limits are those of sql/branches; `what` is the sample, or the first condition that fails.
WITH chosen AS (FROM clips WHERE list_contains($clips, clip_id)),
samples AS (
    SELECT clip_id, 'single' AS branch, tier, clip_id AS what FROM branch_single WHERE profile = $profile
    UNION ALL
    SELECT initiator_clip_id, 'dialogue', tier, 'initiator of ' || pair_id FROM branch_dialogue WHERE profile = $profile
    UNION ALL
    SELECT responder_clip_id, 'dialogue', tier, 'responder of ' || pair_id FROM branch_dialogue WHERE profile = $profile
    UNION ALL
    SELECT listener_clip_id, 'listening', tier, mode || ' ' || listening_id FROM branch_listening WHERE profile = $profile
    UNION ALL
    SELECT clip_id, 'multi_turn_' || mode, tier, 'turn ' || turn_index || ' of ' || session_id
    FROM branch_multi_turn WHERE profile = $profile
),
members AS (
    SELECT s.*, true AS is_in FROM samples AS s WHERE s.clip_id IN (SELECT clip_id FROM chosen)
),
spoken AS (
    SELECT c.clip_id, c.video_id, t.turn_id, t.speaker_id, t.start_s, t.end_s
    FROM chosen AS c JOIN speech_turns AS t ON list_contains(c.turn_ids, t.turn_id)
    WHERE c.role = 'talking'
),
ends AS (
    SELECT clip_id, video_id, any_value(speaker_id) AS speaker_id, min(start_s) AS start_s, max(end_s) AS end_s
    FROM spoken GROUP BY clip_id, video_id
),
-- nearest turn of somebody else on either side
neighbours AS (
    SELECT e.clip_id, 'responder' AS side, arg_max(t.turn_id, t.end_s) AS other, e.start_s - max(t.end_s) AS gap_s
    FROM ends AS e
    LEFT JOIN speech_turns AS t
        ON t.video_id = e.video_id AND t.speaker_id <> e.speaker_id AND t.start_s < e.start_s
    GROUP BY e.clip_id, e.start_s
    UNION ALL
    SELECT e.clip_id, 'initiator', arg_min(t.turn_id, t.start_s), min(t.start_s) - e.end_s
    FROM ends AS e
    LEFT JOIN speech_turns AS t
        ON t.video_id = e.video_id AND t.speaker_id <> e.speaker_id AND t.end_s > e.end_s
    GROUP BY e.clip_id, e.end_s
),
unpaired AS (
    SELECT n.clip_id, 'dialogue' AS branch, 'no ' || n.side || ': ' || CASE
        WHEN n.other IS NULL THEN 'nobody else speaks on that side'
        WHEN n.gap_s > $dialogue_max_gap_s THEN printf('%.1f s to %s, at most %g', n.gap_s, n.other, $dialogue_max_gap_s)
        WHEN n.gap_s < -$dialogue_max_overlap_s THEN
            printf('overlaps %s by %.1f s, at most %g', n.other, -n.gap_s, $dialogue_max_overlap_s)
        WHEN NOT EXISTS (FROM clips AS k WHERE k.role = 'talking' AND list_contains(k.turn_ids, n.other)) THEN
            'no clip shows who speaks ' || n.other
            || coalesce(' (' || (SELECT any_value(b.status) FROM speaker_bindings AS b WHERE b.turn_id = n.other) || ')', '')
        ELSE 'another clip is nearer to the change, or one of the turns is a backchannel'
    END AS what
    FROM neighbours AS n
    WHERE NOT EXISTS (FROM members AS m WHERE m.clip_id = n.clip_id AND m.branch = 'dialogue' AND m.what LIKE n.side || '%')
),
heard AS (
    SELECT c.clip_id, c.person_id, t.turn_id, least(c.end_s, t.end_s) - greatest(c.start_s, t.start_s) AS common_s,
        coalesce(
            any_value(b.status)
                FILTER (b.status NOT IN ('bound', 'off_screen') AND b.start_s < c.end_s AND b.end_s > c.start_s),
            any_value(b.status)
        ) AS binding, bool_or(b.person_id = c.person_id) AS is_own
    FROM chosen AS c
    JOIN speech_turns AS t ON list_contains(c.turn_ids, t.turn_id)
    LEFT JOIN speaker_bindings AS b ON b.turn_id = t.turn_id
    WHERE c.role = 'listening'
    GROUP BY ALL
),
unheard AS (
    SELECT h.clip_id, 'listening' AS branch, 'not to ' || h.turn_id || ': ' || CASE
        WHEN h.common_s < $listening_min_overlap_s THEN
            printf('%.1f s together, at least %g', h.common_s, $listening_min_overlap_s)
        WHEN h.is_own THEN 'the listener speaks it'
        WHEN h.binding IS NULL OR h.binding NOT IN ('bound', 'off_screen') THEN
            coalesce(h.binding, 'not bound') || ', so it could be the listener''s own'
        ELSE 'talking margin or words do not meet the profile''s listening_ limits, or it is the listener''s own voice'
    END AS what
    FROM heard AS h
    WHERE NOT EXISTS (
        FROM members AS m WHERE m.clip_id = h.clip_id AND m.branch = 'listening' AND m.what LIKE '%<' || h.turn_id
    )
),
absent AS (
    SELECT clip_id, 'single' AS branch, 'it shows a listener' AS what FROM chosen WHERE role = 'listening'
    UNION ALL
    SELECT clip_id, 'dialogue', 'it shows a listener' FROM chosen WHERE role = 'listening'
    UNION ALL
    SELECT clip_id, 'listening', 'it shows somebody talking' FROM chosen WHERE role = 'talking'
    UNION ALL
    SELECT clip_id, 'multi_turn_' || mode, CASE
        WHEN role = 'listening' THEN 'it shows a listener'
        WHEN mode = 'contextual' THEN printf('no words in the %g s before it', $multi_turn_window_s)
        ELSE printf('no talking clip less than %g s before or after it', $multi_turn_max_gap_s)
    END
    FROM chosen CROSS JOIN (VALUES ('contextual'), ('sequential')) AS modes (mode)
    WHERE NOT EXISTS (FROM members AS m WHERE m.clip_id = chosen.clip_id AND m.branch = 'multi_turn_' || mode)
    UNION ALL
    FROM unpaired
    UNION ALL
    FROM unheard
)
SELECT clip_id, branch, is_in, tier, what
FROM (FROM members UNION ALL BY NAME SELECT *, false AS is_in FROM absent)
ORDER BY clip_id, branch, is_in DESC, what
