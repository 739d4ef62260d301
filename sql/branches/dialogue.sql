-- Which clip answers which: initiator → responder at a change of speaker?
-- 1. Turns that do not take the floor are left out: those inside another turn, and those shorter than
--    $dialogue_backchannel_max_s between two turns of one other speaker ("mhm").
-- 2. A change is two neighbouring turns of different speakers, at most $dialogue_max_gap_s apart and overlapping by at most
--    $dialogue_max_overlap_s.
-- 3. With $dialogue_needs_exchange both must be of one conversation for sure: the video has no third voice, or each takes over
--    from the other at least once, or both are seen in one shot. Two conversations cut one after the other have a change of
--    speaker too, but none of these; neither has a question that is answered once, so it is not asked by default.
-- 4. Of the clips in which the turn is spoken the nearest to the change is taken: the initiator's last, the
--    responder's first.
-- Shots do not matter: shot and reverse shot, or both in one picture.
WITH turns AS (
    SELECT batch, video_id, turn_id, speaker_id, start_s, end_s,
        -- the longest-reaching earlier turn: it contains this one if it ends no earlier (one speaker's turns do not overlap)
        max(end_s) OVER (
            PARTITION BY video_id ORDER BY start_s, end_s DESC, turn_id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ) AS reached_s
    FROM speech_turns
    WHERE list_contains($batches, batch)
),
outer_turns AS (
    SELECT *, CASE WHEN end_s - start_s >= $dialogue_backchannel_max_s THEN speaker_id END AS holder
    FROM turns
    WHERE reached_s IS NULL OR reached_s < end_s
),
around AS (
    SELECT *,
        last_value(holder IGNORE NULLS) OVER (
            PARTITION BY video_id ORDER BY start_s, turn_id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ) AS holder_before,
        first_value(holder IGNORE NULLS) OVER (
            PARTITION BY video_id ORDER BY start_s, turn_id ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING
        ) AS holder_after
    FROM outer_turns
),
floor_turns AS (
    SELECT * FROM around
    WHERE holder IS NOT NULL OR holder_before IS NULL OR holder_before = speaker_id
        OR holder_before IS DISTINCT FROM holder_after
),
neighbours AS (
    SELECT batch, video_id, turn_id AS responder_turn_id, speaker_id AS responder, start_s,
        lag(turn_id) OVER ordered AS initiator_turn_id,
        lag(speaker_id) OVER ordered AS initiator,
        start_s - lag(end_s) OVER ordered AS gap_s
    FROM floor_turns
    WINDOW ordered AS (PARTITION BY video_id ORDER BY start_s, turn_id)
),
changes AS (
    SELECT * FROM neighbours
    WHERE initiator <> responder AND gap_s BETWEEN -$dialogue_max_overlap_s AND $dialogue_max_gap_s
),
-- both ways round, so that (a, b) is there exactly when each answered the other, or nobody else speaks in the video
exchanges AS (
    SELECT DISTINCT there.video_id, there.initiator, there.responder
    FROM changes AS there
    LEFT JOIN changes AS back
        ON back.video_id = there.video_id AND back.initiator = there.responder AND back.responder = there.initiator
    WHERE NOT $dialogue_needs_exchange OR back.video_id IS NOT NULL
        OR (SELECT count(DISTINCT speaker_id) FROM turns WHERE turns.video_id = there.video_id) = 2
),
seen_together AS (
    SELECT DISTINCT a.video_id, a.person_id AS one, b.person_id AS other
    FROM face_tracks AS a
    JOIN face_tracks AS b ON b.shot_id = a.shot_id AND b.start_s < a.end_s AND a.start_s < b.end_s
    WHERE list_contains($batches, a.batch) AND list_contains($batches, b.batch) AND a.person_id <> b.person_id
),
spoken AS (
    SELECT unnest(turn_ids) AS turn_id, clip_id, person_id, shot_id, start_s, end_s, duration_s, sync_margin
    FROM clips
    WHERE list_contains($batches, batch) AND role = 'talking'
),
last_clip AS (
    SELECT * FROM spoken
    QUALIFY row_number() OVER (PARTITION BY turn_id ORDER BY end_s DESC, sync_margin DESC NULLS LAST, clip_id) = 1
),
first_clip AS (
    SELECT * FROM spoken
    QUALIFY row_number() OVER (PARTITION BY turn_id ORDER BY start_s, sync_margin DESC NULLS LAST, clip_id) = 1
)
SELECT
    c.batch, c.video_id, $profile AS profile,
    i.clip_id || '>' || r.clip_id AS pair_id,
    i.clip_id AS initiator_clip_id, r.clip_id AS responder_clip_id,
    i.person_id AS initiator_person_id, r.person_id AS responder_person_id,
    c.initiator_turn_id, c.responder_turn_id, c.gap_s,
    i.shot_id = r.shot_id AS is_same_shot,
    i.duration_s + r.duration_s AS duration_s,
    CASE
        WHEN 'rejected' IN (it.tier, rt.tier) THEN 'rejected'
        WHEN 'pretrain' IN (it.tier, rt.tier) THEN 'pretrain'
        ELSE 'sft'
    END AS tier
FROM changes AS c
JOIN last_clip AS i ON i.turn_id = c.initiator_turn_id
JOIN first_clip AS r ON r.turn_id = c.responder_turn_id
JOIN tiers AS it ON it.clip_id = i.clip_id AND it.profile = $profile AND list_contains($batches, it.batch)
JOIN tiers AS rt ON rt.clip_id = r.clip_id AND rt.profile = $profile AND list_contains($batches, rt.batch)
-- a clip that goes on beyond the answer is not the one that was answered
WHERE i.person_id <> r.person_id AND i.start_s < r.start_s AND i.end_s < r.end_s
    AND (
        (c.video_id, c.initiator, c.responder) IN (SELECT (video_id, initiator, responder) FROM exchanges)
        OR (c.video_id, i.person_id, r.person_id) IN (SELECT (video_id, one, other) FROM seen_together)
    )
QUALIFY row_number() OVER (PARTITION BY pair_id ORDER BY c.start_s, c.responder_turn_id) = 1
ORDER BY c.batch, pair_id
