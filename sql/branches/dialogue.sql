-- Pairs of clips in which a responder answers an initiator, found at changes of speaker.
-- 1. Turns that do not take the floor are skipped: those inside another turn, and backchannels ("mhm").
-- 2. A change is two adjacent turns of different speakers, at most $dialogue_max_gap_s apart and overlapping by at most
--    $dialogue_max_overlap_s.
-- 3. Both turns must belong to one conversation: the video has no third voice, or each speaker takes over from the other at
--    least once, or both are seen in one shot, or in one place (a shot of each, with $dialogue_min_palette of their colours
--    in common). Two conversations cut one after the other have a change of speaker too, but none of these.
-- 4. Of the clips that contain a turn, the one nearest to the change is taken: the initiator's last, the responder's first.
-- Shots do not matter: shot and reverse shot, or both people in one picture.
WITH turns AS (
    SELECT batch, video_id, turn_id, speaker_id, start_s, end_s, is_backchannel,
        -- the earlier turn that ends last: it contains this one if it ends no earlier (one speaker's turns do not overlap)
        max(end_s) OVER (
            PARTITION BY video_id ORDER BY start_s, end_s DESC, turn_id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ) AS reached_s
    FROM speech_turns
    WHERE list_contains($batches, batch)
),
floor_turns AS (
    SELECT * FROM turns
    WHERE NOT is_backchannel AND (reached_s IS NULL OR reached_s < end_s)
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
-- both orders, so that (a, b) exists exactly if each answered the other, or nobody else speaks in the video
exchanges AS (
    SELECT DISTINCT there.video_id, there.initiator, there.responder
    FROM changes AS there
    LEFT JOIN changes AS back
        ON back.video_id = there.video_id AND back.initiator = there.responder AND back.responder = there.initiator
    WHERE back.video_id IS NOT NULL
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
),
pairs AS (
    SELECT c.*, i.clip_id AS initiator_clip_id, r.clip_id AS responder_clip_id,
        i.person_id AS initiator_person_id, r.person_id AS responder_person_id,
        i.shot_id = r.shot_id AS is_same_shot, i.duration_s + r.duration_s AS duration_s,
        (c.video_id, initiator, responder) IN (SELECT (video_id, initiator, responder) FROM exchanges)
            OR (c.video_id, i.person_id, r.person_id) IN (SELECT (video_id, one, other) FROM seen_together) AS is_sure
    FROM changes AS c
    JOIN last_clip AS i ON i.turn_id = c.initiator_turn_id
    JOIN first_clip AS r ON r.turn_id = c.responder_turn_id
    -- a clip that continues beyond the answer is not the one that was answered
    WHERE i.person_id <> r.person_id AND i.start_s < r.start_s AND i.end_s < r.end_s
),
looks AS (
    SELECT DISTINCT t.video_id, t.person_id, s.shot_id, s.palette
    FROM face_tracks AS t JOIN shots AS s ON s.shot_id = t.shot_id AND list_contains($batches, s.batch)
    WHERE list_contains($batches, t.batch) AND s.palette IS NOT NULL
        AND t.video_id IN (SELECT video_id FROM pairs WHERE NOT is_sure)
),
in_common AS (
    SELECT p.video_id, p.initiator_person_id, p.responder_person_id,
        max(list_sum(list_transform(list_zip(one.palette, other.palette), lambda x: least(x[1], x[2])))) AS share
    FROM (SELECT DISTINCT video_id, initiator_person_id, responder_person_id FROM pairs WHERE NOT is_sure) AS p
    JOIN looks AS one ON one.video_id = p.video_id AND one.person_id = p.initiator_person_id
    JOIN looks AS other ON other.video_id = p.video_id AND other.person_id = p.responder_person_id
    GROUP BY ALL
)
SELECT
    p.batch, p.video_id, $profile AS profile,
    initiator_clip_id || '>' || responder_clip_id AS pair_id,
    initiator_clip_id, responder_clip_id, p.initiator_person_id, p.responder_person_id,
    initiator_turn_id, responder_turn_id, gap_s, is_same_shot, duration_s,
    CASE
        WHEN 'rejected' IN (it.tier, rt.tier) THEN 'rejected'
        WHEN 'pretrain' IN (it.tier, rt.tier) THEN 'pretrain'
        ELSE 'sft'
    END AS tier
FROM pairs AS p
JOIN tiers AS it ON it.clip_id = initiator_clip_id AND it.profile = $profile AND list_contains($batches, it.batch)
JOIN tiers AS rt ON rt.clip_id = responder_clip_id AND rt.profile = $profile AND list_contains($batches, rt.batch)
LEFT JOIN in_common AS k ON k.video_id = p.video_id
    AND k.initiator_person_id = p.initiator_person_id AND k.responder_person_id = p.responder_person_id
WHERE is_sure OR coalesce(share, 1) >= $dialogue_min_palette -- null: one of them was not sampled, which proves nothing
QUALIFY row_number() OVER (PARTITION BY pair_id ORDER BY p.start_s, responder_turn_id) = 1
ORDER BY p.batch, pair_id
