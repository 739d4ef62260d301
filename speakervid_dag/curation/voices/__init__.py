"""The tables speech_turns and transcripts: who speaks when, and what."""
