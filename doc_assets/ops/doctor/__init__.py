"""Whether everything this program needs is there: one function per check, listed in ``examination.py``.

A check says what it found in a line and, unless that is well, what to do. It changes nothing. Whoever runs
checks gets a line for each, also for one that breaks or hangs; probes of services may run single ones.
"""
