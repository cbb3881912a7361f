"""Audits the blinding of a study: python -m study.audit"""
