"""What the API does, one module for each kind of thing: parse, one service call, shape the result."""
