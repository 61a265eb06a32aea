"""Composed handwriting: what the line reader and the line finder are trained on.

glyphs.py   MNIST's training digits, and letters, as fields that any pen can draw
layout.py   digits side by side, with what people write and print between them
paper.py    the strip as a photograph: paper, lines, grain, shadows, blur, JPEG
compose.py  all of these in order: batches of strips and their labels
"""
