"""An org's history on its way out: to files, and to a webhook. By the public API alone."""
