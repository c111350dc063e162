"""Batches: one task on millions of recordings, whose results stand in shards of a folder.

 INPUT ─► items ─► chunks ─► engine: workers on one machine, or Ray ─► chunk files ─► shards
(inputs)  (items)  (job)     (local, ray_engine; each a worker)          (folder)
"""
