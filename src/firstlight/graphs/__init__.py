"""The two pictures of a graph, as SVG."""
