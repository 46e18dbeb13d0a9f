"""Builders and in-memory twins for tests, of ours and of those who extend sen4cap."""
