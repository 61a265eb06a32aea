"""What a network looks at. Arrays out, no drawing: figures/explanation.py draws them."""
