"""Reads handwritten digits in pictures, without TensorFlow.

    from firstlight.reading import read

    reading = read("photo.jpg")
    reading.text

The steps, and the modules that take them:

    images/open.py  the picture is opened safely
    finder.py       a network finds the lines of digits
    ink.py          paper, uneven light and shadows are removed
    strip.py        each line becomes a strip, 32 pixels high
    line_reader.py  a network reads the strip as a whole
    alignment.py    its outputs become digits, their places and alternatives
    locate.py       connected ink becomes blobs (blobs.py, components.py)
    seams.py        blobs are cut between two digits
    normalize.py    each digit's ink becomes a 28×28 image like MNIST's
    recognizer.py   a network reads the ink of each digit that the line reader is not sure of
    recognition.py  what both networks say becomes digits
    unread.py       ink that may be a digit and was not read
    reader.py       all of these in order
    result.py       what was read: a Reading with its lines and digits
    sheet.py        draws how a picture was read

Many pictures at once:

    pages.py        files become pages, which are read one after the other
    batch.py        or in a process for each core, whose program is worker.py
    table.py        what was read as a file that can be continued
"""

from firstlight.reading.reader import read
from firstlight.reading.result import Digit, FileReading, Line, Reading

__all__ = ["Digit", "FileReading", "Line", "Reading", "read"]
