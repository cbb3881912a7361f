"""Figures of weights, and how they come about."""
