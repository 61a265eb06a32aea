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
    sheet.py        draws all of these
"""

from firstlight.reading.reader import Digit, FileReading, Line, Reading, read, read_files

__all__ = ["Digit", "FileReading", "Line", "Reading", "read", "read_files"]
