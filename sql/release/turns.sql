-- Speech turns of these videos, with their speakers.
SELECT video_id, speaker_id, start_s, end_s
FROM speech_turns
WHERE list_contains($video_ids, video_id)
ORDER BY video_id, start_s, turn_id
