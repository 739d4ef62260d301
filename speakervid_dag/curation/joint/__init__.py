"""Audio-visual diarization in one inference: who speaks in each frame, and whose face it is."""
