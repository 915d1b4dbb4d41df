"""What the hub answers over HTTP: each file parses a request, asks the store or the board, and shapes the answer."""
