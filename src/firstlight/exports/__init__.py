"""Networks as files for other programs; each is compared with its network before it is kept.

    format      module           file             opened again by        metadata
    onnx        onnx.py          NETWORK.onnx     ONNX Runtime           property `firstlight`
    litert      litert.py        NETWORK.tflite   LiteRT's interpreter   zipped onto the file's end
    savedmodel  saved_model.py   saved_model/     TensorFlow             in the folder assets.extra
    html        html.py          NETWORK.html     Chromium               in the ONNX file inside

    run → export.py ── metadata.py ── a format's write ── a format's open ── check.py → file

Each file takes `image` (N, height, width, channels) uint8, 0 to 255, and gives `logits`
(N, classes) float32, for any N; html takes one digit, which is drawn on its page. The metadata is
a JSON document: see metadata.py.
"""

FORMATS = ("onnx", "litert", "savedmodel", "html")  # as export.py writes them
