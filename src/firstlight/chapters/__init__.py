"""The series: chapters in Markdown, and what is made of them.

chapter.py    a chapter's Markdown → its parts: prose, code, what the code prints and draws
program.py    a chapter's code → one program
agreement.py  does what was printed agree with what the chapter says?
notebooks.py  chapters → Jupyter notebooks: the verb `lessons`
html.py       a chapter → HTML, for the page and the site. highlight.py: its Python code
"""
