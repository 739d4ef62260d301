"""Rows of face_tracks and people: face tracking, identities, liveness."""
