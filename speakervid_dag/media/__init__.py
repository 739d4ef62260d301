"""Reading and writing media files; no other package opens a media container.

Belongs here: probing, decoding and encoding of video and sound, and protection against untrusted files. Does not belong
here: analysis of pictures or sound. `probe`, `decode`, `stills` and `audio` read for callers, `encode` writes, `cut`
does both. `child` is the parent's side of the decoding process; what runs in that process is in decoder/.
"""
