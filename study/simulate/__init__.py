"""Simulated raters and studies: python -m study.simulate"""
