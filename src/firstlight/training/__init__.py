"""TRAINING: `loop.py` is the only loop; `../checkpoint.py` is how it survives being stopped."""
