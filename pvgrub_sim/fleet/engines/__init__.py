"""Engines: who looks at chunks of jobs, and where. `local`: processes of this machine; `dask`: those of a cluster."""
