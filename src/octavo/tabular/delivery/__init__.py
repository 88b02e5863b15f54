"""A model leaves the house: a folder that needs no Octavo, an ONNX file, an HTTP service."""
