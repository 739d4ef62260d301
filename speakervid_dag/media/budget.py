"""Resource limits for reading one media file.

Belongs here: limits of an installation, with their defaults. Does not belong here: curation thresholds
(profiles/*.yaml).
"""

from pydantic import Field

from speakervid_dag.config.sections import Section


class MediaBudget(Section):
    """Limits on one file. Its header's claims are checked before decoding, its real size while decoding."""

    max_duration_s: float = Field(
        default=4 * 3600.0, gt=0, description="longest file, s; 4 h of 16 kHz sound is 0.9 GB"
    )
    max_pixels_per_frame: int = Field(
        default=4096 * 2304, gt=0, description="largest picture, px; 4K passes, 8K does not"
    )
    max_total_pixels: int = Field(
        default=1_500_000_000_000, gt=0, description="pictures x px of one file; 4 h of 1080p at 50 fps is 1.5e12"
    )
    max_streams: int = Field(default=32, gt=0, description="most streams in a container")
    max_sound_tracks: int = Field(
        default=16, gt=0, description="most sound tracks that are listened to, of those in a file"
    )
    max_sound_channels: int = Field(default=64, gt=0, description="most channels of a sound track")
    max_sound_gaps: int = Field(default=100_000, gt=0, description="most breaks in the sound's timestamps of one file")
    base_geometry_changes: int = Field(
        default=30, ge=0, description="changes of size or orientation any picture may make, beside its share by length"
    )
    geometry_changes_per_s: float = Field(
        default=0.5, ge=0, description="more of them for each second; a call that adapts changes every few seconds"
    )
    memory_bytes: int = Field(default=3 * 1024**3, gt=0, description="address space of a decoding process, bytes")
    base_wall_s: float = Field(default=60.0, gt=0, description="time any file gets, s, beside its share by length")
    wall_s_per_media_s: float = Field(
        default=20.0,
        gt=0,
        description="decoding time a second of media may take; time spent by the consumer is not counted",
    )
    stall_s: float = Field(default=60.0, gt=0, description="longest wait for the next byte of a decoder, s")
    decoder_threads: int = Field(default=2, ge=1, le=16, description="threads of one decoding process")

    def wall_s(self, media_s: float) -> float:
        """Return the wall time, and CPU time per thread, allowed for `media_s` seconds of media, s."""
        return self.base_wall_s + self.wall_s_per_media_s * min(media_s, self.max_duration_s)
