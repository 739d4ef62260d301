"""speakervid-dag: raw conversation videos in, a tiered and searchable dataset of talking people out."""

__version__ = "0.1.0"
