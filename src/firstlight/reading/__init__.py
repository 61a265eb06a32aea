"""Reads handwritten digits in pictures, without TensorFlow.

    from firstlight.reading import read

    reading = read("photo.jpg")
    reading.text

The steps, and the modules that take them:

    images/open.py  the picture is opened safely
    ink.py          paper, uneven light and shadows are removed
    locate.py       connected ink becomes blobs, in lines
    split.py        blobs are split and joined into candidates for digits
    normalize.py    each candidate becomes a 28×28 image like MNIST's
    recognizer.py   the network predicts which digit it is
    reader.py       all of these in order; the result is a Reading
    unread.py       what may be a digit and was left out
    sheet.py        draws all of these

Many pictures at once:

    pages.py        files become pages, which are read one after the other
    batch.py        or in a process for each core, whose program is worker.py
    table.py        what was read as a file that can be continued
"""

from firstlight.reading.reader import Digit, FileReading, Line, Reading, read

__all__ = ["Digit", "FileReading", "Line", "Reading", "read"]
