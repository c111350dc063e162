"""The service: captions, timelines and jobs over HTTP, and the page.

request ─► guard ─► form ─► upload ─► decoder process ─► engine: batches of many requests
                                                  └────► background: long recordings, timelines
"""
