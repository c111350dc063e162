"""Sounds found by words: an index of folders, its search, and copies among its recordings."""
