"""Whether two photos show the same shot: which transform their keypoints agree on, and how probable that makes it."""
