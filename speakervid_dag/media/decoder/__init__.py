"""Code of the decoding process, which reads untrusted bytes under limits. Imports av and the standard library; numpy
only where needed."""
