"""The HTTP server of every process of ours: uvicorn, with the limits that it does not have."""
