"""What this core remembers: images with their results, counts, charts and events, on its own disk.

``recorder`` writes in a thread of its own, ``reader`` answers; nothing here can hold an image up.
"""
