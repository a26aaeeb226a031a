"""A folder of pictures as one job that may be killed at any moment and goes on where it was.

inputs ─► items ─► folder: read ahead ─► one live run ─► encode, write ─► journal
"""
