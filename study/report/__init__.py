"""Reports on a study: python -m study.report"""
