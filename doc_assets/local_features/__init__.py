"""A photo -> keypoints with descriptors, and the visual words they stand for.

They survive what a global vector does not, heavy crops above all, and they tell where two photos agree.
"""
