"""The verb `site`: the series and the guides as a static site, for any web host.

    lessons/, docs/ … ── documents   Markdown files, and where their links lead on the site
                          └── pages  templates/*.html, filled with them
    serve/page/, data ──────── └── write   all files, into a folder

A page can be read without JavaScript. All addresses are relative, so the site works below any path.
"""
