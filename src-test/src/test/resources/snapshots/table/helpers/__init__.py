"""A package of the snapshot."""
