"""Prepares a study and freezes it: python -m study.prepare"""
