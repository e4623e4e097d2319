"""The history over HTTP: search, counts, timeline, exports, pictures of failures."""
