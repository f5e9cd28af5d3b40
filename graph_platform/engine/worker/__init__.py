"""The confined process that has an engine, asked by a server about the databases that it opens.

`program` is what runs in it, and the only part that imports an engine; `requests` is what it is told and asked, for
both sides. Starting and replacing such processes is the server's business.
"""
