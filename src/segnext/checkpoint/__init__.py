"""Weights on disk: our own file, and the mapping from the official layouts."""
