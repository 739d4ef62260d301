"""The only place that opens a media container.

Belongs here: probing, decoding and encoding of video and sound, and what keeps an untrusted file from doing harm. Does
not belong here: anything that looks *into* pictures or sound. `probe`, `decode`, `stills` and `audio` are for callers,
`encode` writes, `cut` does both. Behind them: `child` (the parent's side of the decoding process), `wire` (its
messages), `worker` (the process), and what runs in it: `container`, `picture`, `sound`, `times`, `clip_pictures`,
`clip_copy`.
"""
