-- Listening samples: a silent listener's clip during a turn of somebody else.
-- Only the time of a turn in which its speaker is known counts (bound to another person, or spoken off screen): an
-- ambiguous stretch could be the listener's own. co_present = a track bound to the turn is in the listener's shot at the same time; else non_co_present.
-- margin: mean log odds that the speaker's face talks minus the listener's. One that is not evaluated keeps the sample
-- unless $listening_needs_margin: the binding behind the clip's role has its own evidence.
WITH heard AS (
    SELECT batch, video_id, clip_id, person_id, track_id, shot_id, start_s, end_s, unnest(turn_ids) AS turn_id
    FROM clips
    WHERE list_contains($batches, batch) AND role = 'listening'
),
bound AS (
    SELECT b.turn_id, b.track_id, b.person_id, b.start_s, b.end_s, f.shot_id
    FROM speaker_bindings AS b
    LEFT JOIN face_tracks AS f ON f.track_id = b.track_id AND list_contains($batches, f.batch)
    WHERE list_contains($batches, b.batch) AND b.status IN ('bound', 'off_screen')
),
-- the stretches of the turn whose speaker is known, inside the clip
pieces AS (
    SELECT h.* EXCLUDE (start_s, end_s), t.speaker_id,
        greatest(h.start_s, b.start_s) AS start_s, least(h.end_s, b.end_s) AS end_s
    FROM heard AS h
    JOIN speech_turns AS t ON t.turn_id = h.turn_id AND list_contains($batches, t.batch)
    JOIN bound AS b ON b.turn_id = h.turn_id AND b.start_s < h.end_s AND b.end_s > h.start_s
),
marked AS (
    SELECT *, coalesce(start_s > max(end_s) OVER before + 0.05, true)::INTEGER AS is_first
    FROM pieces
    WINDOW before AS (
        PARTITION BY clip_id, turn_id ORDER BY start_s, end_s ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
    )
),
numbered AS (
    SELECT *, sum(is_first) OVER (PARTITION BY clip_id, turn_id ORDER BY start_s, end_s) AS run
    FROM marked
),
-- the longest time without a gap in which the speaker is known: one sample per clip and turn
parts AS (
    SELECT batch, video_id, clip_id, person_id, track_id, shot_id, turn_id, speaker_id,
        min(start_s) AS start_s, max(end_s) AS end_s
    FROM numbered
    GROUP BY batch, video_id, clip_id, person_id, track_id, shot_id, turn_id, speaker_id, run
    QUALIFY row_number() OVER (PARTITION BY clip_id, turn_id ORDER BY max(end_s) - min(start_s) DESC, min(start_s)) = 1
),
seen AS (
    SELECT p.*, b.track_id AS speaker_track_id, b.person_id AS speaker_person_id,
        coalesce(b.shot_id = p.shot_id, false) AS is_co_present,
        greatest(p.start_s, b.start_s) AS bound_start_s, least(p.end_s, b.end_s) AS bound_end_s
    FROM parts AS p
    JOIN bound AS b ON b.turn_id = p.turn_id AND b.start_s < p.end_s AND b.end_s > p.start_s
    WHERE p.end_s - p.start_s >= $listening_min_overlap_s
),
-- log odds that a face talks, 25 a second
faces AS (
    SELECT track_id, backend, start_s, log_odds
    FROM active_speaker
    WHERE list_contains($batches, batch) AND status = 'ok'
),
placed AS (
    SELECT s.*, speaker.log_odds AS speaker_log_odds, listener.log_odds AS listener_log_odds,
        floor((bound_start_s - speaker.start_s) * 25)::BIGINT AS speaker_first,
        floor((bound_start_s - listener.start_s) * 25)::BIGINT AS listener_first,
        ceil((bound_end_s - bound_start_s) * 25)::BIGINT AS frames
    FROM seen AS s
    LEFT JOIN faces AS listener ON listener.track_id = s.track_id
    LEFT JOIN faces AS speaker
        ON s.is_co_present AND speaker.track_id = s.speaker_track_id
        AND speaker.backend = listener.backend  -- log odds of two networks have no common scale
),
compared AS (
    SELECT * EXCLUDE (speaker_log_odds, listener_log_odds),
        list_avg(speaker_log_odds[greatest(0, speaker_first) + 1:greatest(0, speaker_first + frames)]) AS speaker_talks,
        list_avg(listener_log_odds[greatest(0, listener_first) + 1:greatest(0, listener_first + frames)])
        AS listener_talks
    FROM placed
),
samples AS (
    SELECT batch, video_id, clip_id, person_id, turn_id, speaker_id, start_s, end_s,
        bool_and(speaker_person_id IS DISTINCT FROM person_id) AS is_other,
        bool_or(is_co_present) AS is_co_present,
        any_value(speaker_person_id) AS speaker_person_id,
        sum((speaker_talks - listener_talks) * frames) / sum(frames) FILTER (
            speaker_talks IS NOT NULL AND listener_talks IS NOT NULL
        ) AS margin,
        sum(listener_talks * frames) / sum(frames) FILTER (listener_talks IS NOT NULL) AS listener_talks
    FROM compared
    GROUP BY ALL
),
spoken AS (
    SELECT DISTINCT turn_id FROM transcripts WHERE list_contains($batches, batch) AND trim(text) <> ''
),
-- person of a voice elsewhere in the video, for turns spoken off screen
voices AS (
    SELECT video_id, speaker_id, arg_max(person_id, speaking_s) AS person_id
    FROM people
    WHERE list_contains($batches, batch) AND speaker_id IS NOT NULL
    GROUP BY video_id, speaker_id
)
SELECT
    s.batch, s.video_id, $profile AS profile,
    s.clip_id || '<' || s.turn_id AS listening_id,
    s.turn_id AS speaker_turn_id, s.clip_id AS listener_clip_id, s.person_id AS listener_person_id,
    coalesce(s.speaker_person_id, v.person_id) AS speaker_person_id,
    CASE WHEN s.is_co_present THEN 'co_present' ELSE 'non_co_present' END AS mode,
    s.margin, s.start_s, s.end_s, s.end_s - s.start_s AS duration_s, t.tier
FROM samples AS s
JOIN tiers AS t ON t.clip_id = s.clip_id AND t.profile = $profile AND list_contains($batches, t.batch)
LEFT JOIN voices AS v ON v.video_id = s.video_id AND v.speaker_id = s.speaker_id
WHERE s.is_other
    AND coalesce(s.speaker_person_id, v.person_id) IS DISTINCT FROM s.person_id  -- nobody listens to their own voice-over
    AND CASE
        WHEN s.is_co_present THEN coalesce(s.margin >= $listening_min_margin, NOT $listening_needs_margin)
        ELSE coalesce(s.listener_talks <= $listening_max_log_odds, true)
            AND (NOT $listening_needs_words OR s.turn_id IN (SELECT turn_id FROM spoken))
    END
ORDER BY s.batch, listening_id
