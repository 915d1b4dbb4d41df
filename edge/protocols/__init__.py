"""Pure codecs of devices that no library decodes: bytes in, readings out."""
