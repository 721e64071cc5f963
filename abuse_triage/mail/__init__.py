"""Bytes to mail and back: decoding what came in, recognising robots and threads, composing what goes out."""
