"""Corpora by name, vocabularies, and batches as pure functions of (seed, epoch, index)."""
