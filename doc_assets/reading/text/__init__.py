"""Which pages carry a text, e.g. a title: text lines are found by image analysis and read by an OCR engine.

An engine sees single lines only, never a page: photos cost it most of its time and give nothing but noise, and
ruled boxes around a title make it misread the title. It runs in child processes (``process``, ``child``), because
it is a large C++ program and its input comes from outside.
"""
