"""Jobs: work on long recordings that survives a restart.

routes (HTTP) ──► runner (threads) ──► work (a recording's events) ──► store (SQLite) ──► routes
"""
