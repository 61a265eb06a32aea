"""NETWORKS. A network is a file here: INPUT, PARAMETERS, RECIPES and build(classes).

Each takes images (N, *INPUT) uint8 as they come, scales them itself, and answers with logits.
A file of several variants: see `catalog.Network`.
"""
