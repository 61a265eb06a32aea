"""Reports: runs as one HTML file that needs no network and prints well.

    runs → report.py ── contents.py: what is said about each run ── report.html: how it looks → file

Names of classes and files are foreign text: Jinja escapes whatever the template shows.
"""
