"""The shared science: arrays in, arrays out."""
