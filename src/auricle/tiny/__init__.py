"""Training without paired recordings: captions -> tags, labelled sounds -> pseudo-recordings."""
