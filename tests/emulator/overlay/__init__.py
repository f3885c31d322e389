"""What Hadron adds to ministack. Each module has one `install()`; `emulator.py` calls them in order."""
