"""The installation step of torch, whose public wheel for Linux is the CUDA build."""
