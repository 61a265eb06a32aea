"""What a network looks at in a picture. Arrays out: figures/explanation.py draws them."""
