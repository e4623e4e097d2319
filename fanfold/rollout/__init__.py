"""A release over many sites: waves and their rules are pure, the record is a file, the rest IO."""
