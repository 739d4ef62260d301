"""Tables sync_scores, sync_calibration and speaker_bindings: which face a voice belongs to."""
