"""Tables speech_turns and transcripts: who speaks when, and what is said."""
