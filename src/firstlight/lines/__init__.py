"""Composed handwriting: what the line reader and the line finder are trained on.

glyphs.py   MNIST's training digits, and letters, as fields that any pen can draw
layout.py   digits side by side, with what people write and print between them
paper.py    the strip as a photograph: paper, lines, grain, shadows, blur, JPEG
compose.py  all of these in order: strips and their labels, for the line reader
pages.py    pages with lines, and where these are, for the line finder
batches.py  both in a process of its own, while the networks are trained
sheet.py    draws samples
"""
