"""Texts that a decoder writes."""
