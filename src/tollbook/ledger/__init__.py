"""The verbs: one module per use case. They take ports and values, never concrete I/O."""
