"""The compiled kernels: C++ sources, and the library that loads what was built of them."""
