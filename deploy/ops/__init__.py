"""What operators run on the machine itself: Python 3.9 and Docker, no other package."""
