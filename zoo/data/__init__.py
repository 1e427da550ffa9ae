"""Corpora by name, vocabularies, and batches that are pure functions of (seed, epoch, index)."""
