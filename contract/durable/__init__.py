"""A SQLite file that keeps what was committed: through a power cut, a full disk and damage.

The splitter's journal, the aggregator's store and the core's spool are opened here.
"""
