"""The tables face_tracks and people: following faces, who is who, who is alive."""
