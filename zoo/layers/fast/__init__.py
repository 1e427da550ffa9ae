"""Faster forms of plain code, each behind one function and tested against the plain form."""
