"""Reading is an act: the read API with our own middleware, so that an org sees who read it."""
