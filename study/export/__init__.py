"""Exports a study: python -m study.export"""
