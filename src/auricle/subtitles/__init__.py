"""Subtitles of sounds: cues for deaf and hard-of-hearing viewers, beside dialogue or alone."""
