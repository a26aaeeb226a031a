"""A folder of pictures as one job that may be killed at any moment and goes on where it was.

inputs ─► items ─► standing (what is to be made) ─► folder: reading ─► one live run ─► writing
"""
