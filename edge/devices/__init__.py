"""The only files that touch hardware: one class per device, each owning one thread."""
