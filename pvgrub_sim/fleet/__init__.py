"""Many images: what is named becomes targets, an engine looks at them, a store keeps what was seen, reports tell it.

    listing, cloud ─► coordinator ─► engines (local: own worker processes | Dask) ─► look ─► store ─► reports

A worker is a process that looks at one image after the other; it may die of one, and is started anew by its supervisor.
"""
