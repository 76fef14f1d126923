"""The windows of mien: each is thin, stands on the engine, and turns a MienError into its own language."""
