"""Captions without a fault."""

WHOLE = (
    "a dog barks while rain falls",
    "rain falls",
    "a clock ticks over and over",
    "A man is speaking, and birds are chirping in the background.",
    "An engine idles loudly followed by a horn honking twice",
    "Keys jingle as a door is opened and closed",
)
